import { cellsOf, delimiterOf } from './csv-cells.js';
import { bad, type LineFormat, NOTHING } from './format.js';
import { type MadeIds, noMadeIds } from './made-trade-ids.js';
import { type Roles, rolesAmong, tradeOf } from './trade-columns.js';

type Memory = { header: Readonly<{ roles: Roles; delimiter: string; columns: number }> | null; made: MadeIds };

/**
 * A trade a line, in a table whose first line names its columns: `symbol,ts,price,size` in any order, and among them, if it
 * has them, `side` and `id`. A line is a record: trades hold no line ends.
 */
export const tradesCsv: LineFormat<Memory> = {
  name: 'trades-csv',
  yields: 'trades',
  begin: () => ({ header: null, made: noMadeIds() }),
  read: (text, memory, options) => {
    if (text.trim() === '') return NOTHING;
    const header = headerOf(text);
    if (header !== undefined) {
      memory.header = header;
      return NOTHING;
    }
    if (memory.header === null) return bad('no line before it names the columns time, price and size');
    const { roles, delimiter, columns } = memory.header;
    const cells = cellsOf(text, delimiter);
    if (cells === undefined) return bad('it has a quote where none may be, or one that does not close');
    if (cells.length !== columns) return bad(`it has ${cells.length} fields, its header ${columns}`);
    return tradeOf(cells, roles, memory.made, options);
  },
  likeness: () => 0,
  // a table without a symbol may be of anything that is sold
  likenessOfFirst: ([header = '']) => (headerOf(header)?.roles.symbol === undefined ? 0 : 1),
};

const LONGEST_HEADER = 2000;

function headerOf(text: string): Memory['header'] | undefined {
  // a name begins with a letter, or its quote
  if (text.length > LONGEST_HEADER || !/^["A-Za-z_#]/.test(text)) return undefined;
  const delimiter = delimiterOf(text);
  const names = cellsOf(text, delimiter);
  const roles = names && rolesAmong(names);
  return roles && { roles, delimiter, columns: names.length };
}
