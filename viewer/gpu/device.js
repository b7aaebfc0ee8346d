/** A GPU that renders faster than the processor would. */

const WANTED = /** @type {const} */ (["maxComputeWorkgroupStorageSize"]); // as much as there is: more samples at once

/**
 * @param {boolean} allowsSoftware whether an adapter will do that runs on the processor, which WebAssembly uses better
 * @returns {Promise<GPUAdapter | null>}
 */
export async function findAdapter(allowsSoftware) {
  if (!navigator.gpu) return null;
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  return adapter && (allowsSoftware || !isSoftware(adapter)) ? adapter : null;
}

/** Older browsers say it of the adapter itself. @param {GPUAdapter & { isFallbackAdapter?: boolean }} adapter */
const isSoftware = (adapter) => adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;

/**
 * @param {GPUAdapter} adapter
 * @returns {Promise<GPUDevice>}
 */
export function openDevice(adapter) {
  const requiredLimits = Object.fromEntries(WANTED.map((name) => [name, adapter.limits[name]]));
  return adapter.requestDevice({ requiredLimits });
}

/**
 * What a device is asked to do, without an error of its own: WebGPU reports most of them later, to nobody.
 *
 * @template T
 * @param {GPUDevice} device
 * @param {() => Promise<T>} act
 * @returns {Promise<T>}
 * @throws {Error} with the device's message
 */
export async function checked(device, act) {
  const kinds = /** @type {const} */ (["validation", "out-of-memory", "internal"]);
  for (const kind of kinds) device.pushErrorScope(kind);
  const outcome = await act().then((value) => ({ value }), (failure) => ({ failure }));
  const errors = await Promise.all(kinds.map(() => device.popErrorScope()));
  const error = errors.find(Boolean);
  if (error) throw new Error(error.message);
  if ("failure" in outcome) throw outcome.failure;
  return outcome.value;
}
