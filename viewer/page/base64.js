/** Bytes as text that an address may hold: base64 with - and _, without padding (RFC 4648, section 5). */

/** @param {string} text @returns {Uint8Array} @throws {DOMException} the text is not base64 */
export function bytesOf(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

/** @param {Uint8Array} bytes */
export function textOf(bytes) {
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
