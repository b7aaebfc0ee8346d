/** Workers from the text that the build has bundled them into. */

/** Addresses of the texts, which are as long-lived as the page. @type {Map<string, string>} */
const urls = new Map();

/**
 * @param {string} source
 * @param {(data: any) => void} receive
 * @param {(message: string) => void} fail with one line
 */
export function startWorker(source, receive, fail) {
  const url = urls.get(source) ?? URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  urls.set(source, url);
  const worker = new Worker(url);
  worker.addEventListener("message", ({ data }) => (data.error ? fail(`The file ${data.error}`) : receive(data)));
  worker.addEventListener("error", (event) => fail(event.message || "the browser does not start a worker here"));
  return worker;
}
