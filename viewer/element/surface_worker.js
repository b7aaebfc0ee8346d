/** A worker that finds a shape's surface, coarse first, while somebody can see it. */

import workerSource from "worker:./shape_worker.js";

import { startWorker } from "./workers.js";

/**
 * @param {import("./shape_worker.js").Request} request
 * @param {(reply: import("./shape_worker.js").Reply) => void} receive called for each mesh
 * @param {(message: string) => void} fail with one line
 * @returns {Worker} to be terminated
 */
export function findSurface(request, receive, fail) {
  /** @type {(reply: import("./shape_worker.js").Reply) => void} */
  const take = (reply) => {
    receive(reply);
    if (!reply.isLast) askWhenVisible({ finer: true });
  };
  const worker = startWorker(workerSource, take, fail);
  /** @param {object} message */
  const askWhenVisible = async (message) => {
    if (document.hidden) await visible();
    worker.postMessage(message);
  };
  askWhenVisible(request);
  return worker;
}

/** Resolves as soon as the tab is hidden no more. @returns {Promise<void>} */
const visible = () =>
  new Promise((resolve) => {
    const check = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", check);
      resolve();
    };
    document.addEventListener("visibilitychange", check);
  });
