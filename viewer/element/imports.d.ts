declare module "*.wasm" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
declare module "worker:*" {
  const source: string;
  export default source;
}
declare module "*.wgsl" {
  const text: string;
  export default text;
}
