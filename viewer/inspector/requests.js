/** Requests to the server that sent this page or, in an exported page, to the responses embedded in it. */

/** Responses by URL, gzipped; null where there is a server. @type {Record<string, Uint8Array<ArrayBuffer>> | null} */
const embedded = /** @type {any} */ (globalThis).EMBEDDED_RESPONSES ?? null;

export const LIVE = embedded === null;
let pending = 0;

/** An error with the server's reason. */
export class RequestError extends Error {}

/** @typedef {Record<string, string | number>} Query */
/** A file that can be shown. @typedef {{ id: number, name: string, kind: "shape" | "scene" | "mesh", original: boolean }} Asset */
/** What the page shows at first. @typedef {{ assets: Asset[], original: boolean, results: boolean, up: string | null, ups: string[] }} State */

/**
 * The bytes of a response.
 *
 * @param {string} path
 * @param {Query} [query]
 * @param {BufferSource} [body] sent with the request
 * @returns {Promise<ArrayBuffer>}
 */
export async function request(path, query = {}, body) {
  if (embedded) return embeddedResponse(embedded, path, query);
  const parameters = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]));
  pending += 1;
  try {
    const response = await fetch(`${path}?${parameters}`, body ? { method: "POST", body } : {});
    if ([400, 500].includes(response.status)) throw new RequestError((await response.json()).error);
    if (!response.ok) throw new RequestError(`the server responded with status ${response.status}`);
    return await response.arrayBuffer();
  } catch (error) {
    if (error instanceof TypeError) throw new RequestError("the server has stopped: start sinenerf view again, then reload");
    throw error;
  } finally {
    pending -= 1;
  }
}

/** @param {string} path @param {Query} [query] */
export async function requestJson(path, query = {}) {
  return JSON.parse(new TextDecoder().decode(await request(path, query)));
}

/** @param {Record<string, Uint8Array<ArrayBuffer>>} responses @param {string} path @param {Query} query */
async function embeddedResponse(responses, path, query) {
  const key = "asset" in query ? `${path}?asset=${query.asset}` : path;
  if (!(key in responses)) throw new RequestError("not included in this exported page");
  const stream = new Blob([responses[key]]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/**
 * A mesh that the server has read; its encoding is documented at `ViewerApi.mesh`.
 *
 * @param {ArrayBuffer} buffer
 * @returns {{ header: { vertices: number, faces: number, caption: Record<string, string>, centre: number[], scale: number, up: string, coloured: boolean },
 *   positions: Float32Array, indices: Uint32Array, colours: Uint8Array | null }}
 */
export function unpackMesh(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const positions = new Float32Array(buffer, 4 + length, 3 * header.vertices);
  const indices = new Uint32Array(buffer, 4 + length + positions.byteLength, 3 * header.faces);
  const colours = header.coloured ? new Uint8Array(buffer, indices.byteOffset + indices.byteLength, 3 * header.vertices) : null;
  return { header, positions, indices, colours };
}

/** While a request is pending, show the server's running jobs. */
export async function watchJobs() {
  const status = /** @type {HTMLElement} */ (document.getElementById("status"));
  /** @type {string[]} */
  let lines = [];
  try {
    if (pending > 0) lines = await (await fetch("/jobs")).json();
  } catch {
    lines = []; // the pending request reports the error
  }
  status.textContent = lines.join(" · ");
  status.classList.toggle("busy", lines.length > 0);
  setTimeout(watchJobs, pending > 0 ? 300 : 600);
}
