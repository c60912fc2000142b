export type Entry = Readonly<Record<string, unknown>>;

/** The objects of a JSON list, as settings such as POLLS are given; undefined when the text is none. */
export function entriesOf(text: string): Entry[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every(isObject) ? value : undefined;
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is Entry =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
