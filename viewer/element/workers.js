/** Workers from the text that the build has bundled them into. */

/**
 * @param {string} source
 * @param {(data: any) => void} receive
 * @param {(message: string) => void} fail with one line
 */
export function startWorker(source, receive, fail) {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url);
  worker.addEventListener("message", () => URL.revokeObjectURL(url), { once: true }); // sooner, it may not start
  worker.addEventListener("message", ({ data }) => (data.error ? fail(`The file ${data.error}`) : receive(data)));
  worker.addEventListener("error", (event) => fail(event.message || "the browser does not start a worker here"));
  return worker;
}
