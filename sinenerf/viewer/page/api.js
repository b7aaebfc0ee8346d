// Requests to the server that sent this page or, in an exported page, to the responses embedded in it.
"use strict";

const LIVE = EMBEDDED === null;
const CLIENT = Math.random().toString(36).slice(2); // tells this page from the others that the server serves
let requests = 0;
let pending = 0;

class RequestError extends Error {} // with the server's reason
class Superseded extends Error {} // a newer request of this page has taken the place of this one

/** The bytes of a response. Of the requests in one `group` only the newest matters. */
async function request(path, query = {}, group = null, signal = null) {
  if (!LIVE) return embeddedResponse(path, query);
  const parameters = new URLSearchParams(query);
  if (group !== null) {
    parameters.set("client", `${CLIENT}-${group}`);
    parameters.set("request", String(++requests));
  }
  pending += 1;
  try {
    const response = await fetch(`${path}?${parameters}`, { signal });
    if (response.status === 204) throw new Superseded();
    if ([400, 500].includes(response.status)) throw new RequestError((await response.json()).error);
    if (!response.ok) throw new RequestError(`the server responded with status ${response.status}`);
    return await response.arrayBuffer();
  } catch (error) {
    if (error.name === "AbortError") throw new Superseded();
    if (error instanceof TypeError) throw new RequestError("the server has stopped: start sinenerf view again, then reload");
    throw error;
  } finally {
    pending -= 1;
  }
}

async function requestJson(path, query = {}) {
  return JSON.parse(new TextDecoder().decode(await request(path, query)));
}

async function embeddedResponse(path, query) {
  const key = "asset" in query ? `${path}?asset=${query.asset}` : path;
  if (!(key in EMBEDDED)) throw new RequestError("not included in this exported page");
  const compressed = Uint8Array.from(atob(EMBEDDED[key]), (c) => c.charCodeAt(0));
  const stream = new Blob([compressed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const TYPES = { uint16: Uint16Array, int16: Int16Array, int32: Int32Array };

/** Header and arrays of a packet; its encoding is documented in sinenerf/viewer/array_packets.py. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let start = 4 + length;
  for (const { name, type, count } of header.arrays) {
    const size = count * TYPES[type].BYTES_PER_ELEMENT;
    arrays[name] = new TYPES[type](buffer.slice(start, start + size)); // sliced, since a view has to be aligned
    start += size;
  }
  return [header, arrays];
}

/** While a request is pending, show the server's running jobs. */
async function watchJobs() {
  const status = document.getElementById("status");
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
