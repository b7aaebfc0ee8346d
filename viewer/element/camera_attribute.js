/** The attribute `camera`. */

/** @typedef {{ theta: number, phi: number, distance: number }} Orbit degrees around and above, and how far away */

/** What the attribute says; undefined where that is no place for a camera. @param {string | null} text @returns {Orbit | undefined} */
export function orbitOf(text) {
  const numbers = (text ?? "").trim().split(/[\s,]+/).map(Number);
  const [theta, phi, distance] = numbers;
  if (numbers.length === 3 && numbers.every(Number.isFinite) && distance > 0) return { theta, phi, distance };
  if (text) console.warn(`sine-view: camera="${text}" is not three numbers: degrees around, degrees above, distance`);
  return undefined;
}
