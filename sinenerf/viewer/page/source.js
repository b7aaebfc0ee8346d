// Where answers come from: the server that sent this page, or, in an exported page, the page itself.
"use strict";

const LIVE = EMBEDDED === null;
const ASKER = Math.random().toString(36).slice(2); // this page, among all that the server serves
let turns = 0;
let waiting = 0;

class Refusal extends Error {} // the server says why not
class Superseded extends Error {} // a newer question of this page took the place of this one

/** The bytes of an answer. `group` names questions of which only the newest matters. */
async function ask(path, query = {}, group = null, signal = null) {
  if (!LIVE) return embedded(path, query);
  const given = new URLSearchParams(query);
  if (group !== null) {
    given.set("asker", `${ASKER}-${group}`);
    given.set("turn", String(++turns));
  }
  waiting += 1;
  try {
    const answer = await fetch(`${path}?${given}`, { signal });
    if (answer.status === 204) throw new Superseded();
    if ([400, 500].includes(answer.status)) throw new Refusal((await answer.json()).error);
    if (!answer.ok) throw new Refusal(`the server answers ${answer.status}`);
    return await answer.arrayBuffer();
  } catch (error) {
    if (error.name === "AbortError") throw new Superseded();
    if (error instanceof TypeError) throw new Refusal("the server is gone: start sinenerf view again, then reload");
    throw error;
  } finally {
    waiting -= 1;
  }
}

async function askJson(path, query = {}) {
  return JSON.parse(new TextDecoder().decode(await ask(path, query)));
}

async function embedded(path, query) {
  const key = "item" in query ? `${path}?item=${query.item}` : path;
  if (!(key in EMBEDDED)) throw new Refusal("this exported page does not have it");
  const packed = Uint8Array.from(atob(EMBEDDED[key]), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

const TYPES = { uint16: Uint16Array, int16: Int16Array, int32: Int32Array };

/** Header and arrays of a packet; sinenerf/viewer/array_packets.py says how it is made. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let start = 4 + length;
  for (const { name, type, count } of header.arrays) {
    const size = count * TYPES[type].BYTES_PER_ELEMENT;
    arrays[name] = new TYPES[type](buffer.slice(start, start + size)); // sliced: a view would have to be aligned
    start += size;
  }
  return [header, arrays];
}

/** While anything is awaited, say what the server is busy with. */
async function watchJobs() {
  const line = document.getElementById("status");
  let lines = [];
  try {
    if (waiting > 0) lines = await (await fetch("/jobs")).json();
  } catch {
    lines = []; // the question that is awaited says so itself
  }
  line.textContent = lines.join(" · ");
  line.classList.toggle("busy", lines.length > 0);
  setTimeout(watchJobs, waiting > 0 ? 300 : 600);
}
