import { parse } from 'csv-parse/sync';

/** The cells of one line of a table, or why it has none. */
export function recordOf(line: string, delimiter: string): readonly string[] | string {
  try {
    // a line is a record: what follows it shares nothing of an unclosed quote
    const [record] = parse(line, { delimiter, relax_column_count: true, record_delimiter: ['\n'], trim: false });
    return record ?? [];
  } catch (error) {
    return FAULTS[(error as { code?: string }).code ?? ''] ?? 'it is no line of a table';
  }
}

const FAULTS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote of it does not close',
  CSV_INVALID_CLOSING_QUOTE: 'it goes on behind a closing quote',
  INVALID_OPENING_QUOTE: 'it has a quote within a field that is not quoted',
};
