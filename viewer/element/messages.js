/** What is said of an error, in one line. */

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * What a worker says of an error that has ended its work.
 *
 * @param {unknown} error
 * @param {...(new () => Error)} expected errors with messages for whoever looks at the page
 */
export function complaintOf(error, ...expected) {
  if (expected.some((kind) => error instanceof kind)) return messageOf(error);
  return error instanceof RangeError ? "needs more memory than the browser gives" : String(error);
}
