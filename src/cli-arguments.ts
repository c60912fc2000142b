/** The tool was called wrongly: the usage is shown with it. */
export class UsageError extends Error {}

/** Throws UsageError for what is no number from `least` to `most`. */
export function numberOf(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new UsageError(`${option} must be a number from ${least} to ${most}`);
  return value;
}
