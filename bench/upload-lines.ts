import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { seeded } from './seeded.js';

type Told = Readonly<{
  index: number;
  at: Date;
  level: 'debug' | 'info' | 'warn' | 'error';
  ms: number;
  id: string;
  path: string;
}>;

const START_MS = Date.UTC(2024, 7, 8);
const STEP_MS = 100;
const SERVERS = ['checkout', 'catalogue', 'search', 'login', 'mail'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const SEVERITY = { debug: 7, info: 6, warn: 4, error: 3 } as const;
const BLOCK_LENGTH = 256 * 1024;

/** A line of each format as servers write it, ten a second of their own time; 100 to 200 bytes. */
const LINES: Readonly<Record<string, (told: Told) => string>> = {
  json: ({ at, level, ms, id, path, index }) =>
    `{"time":"${at.toISOString()}","level":"${level}","msg":"request ${index} for ${path} done","service":"${serverOf(index)}","method":"GET","path":"${path}","status":200,"ms":${ms},"trace_id":"${id}"}`,
  logfmt: ({ at, level, ms, id, path, index }) =>
    `ts=${at.toISOString()} level=${level} msg="request ${index} for ${path} done" service=${serverOf(index)} method=GET path=${path} status=200 ms=${ms} trace_id=${id}`,
  text: ({ at, level, ms, id, path, index }) =>
    `${day(at)} ${clock(at)},${at.toISOString().slice(20, 23)} ${level.toUpperCase()} [${serverOf(index)}] org.shop.Handler - request ${index} for ${path} done in ${ms} ms, ${id}`,
  'syslog-5424': ({ at, level, ms, id, path, index }) =>
    `<${128 + SEVERITY[level]}>1 ${at.toISOString()} host-${index % 7} ${serverOf(index)} ${1000 + (index % 9)} - [request@1 path="${path}" ms="${ms}"] request ${index} done, ${id}`,
  'syslog-3164': ({ at, level, ms, id, path, index }) =>
    `<${128 + SEVERITY[level]}>${month(at)} ${String(at.getUTCDate()).padStart(2)} ${clock(at)} host-${index % 7} ${serverOf(index)}[${1000 + (index % 9)}]: request ${index} for ${path} done in ${ms} ms, ${id}`,
  access: ({ at, ms, id, path, index }) =>
    `10.0.${index % 200}.${index % 250} - - [${accessTime(at)}] "GET ${path}?id=${id.slice(0, 8)} HTTP/1.1" ${index % 50 === 0 ? 503 : 200} ${ms * 17} "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64)"`,
  'nginx-error': ({ at, id, path, index }) =>
    `${day(at).replaceAll('-', '/')} ${clock(at)} [error] ${100 + (index % 4)}#0: *${index} connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.${index % 250}, server: shop.example, request: "GET ${path} HTTP/1.1", upstream: "http://10.1.0.1:80/${id.slice(0, 8)}"`,
  'apache-error': ({ at, id, path, index }) =>
    `[${WEEKDAYS[at.getUTCDay()]} ${month(at)} ${two(at.getUTCDate())} ${clock(at)}.${at.toISOString().slice(20, 23)}000 ${at.getUTCFullYear()}] [proxy:error] [pid ${100 + (index % 4)}:tid 7] [client 10.0.0.${index % 250}:5${index % 1000}] AH00957: attempt ${index} to reach ${path} failed, ${id}`,
  csv: ({ at, level, ms, id, path, index }) =>
    `${at.toISOString()},${level},request ${index} done,${serverOf(index)},${path},${ms},${id}`,
  'binance-trades': ({ at, ms, index }) =>
    `${3_700_000_000 + index},${55_000 + (ms % 90)}.${two(ms % 100)},0.00${100 + ms},${ms}.5,${at.getTime()},${index % 2 === 0 ? 'True' : 'False'},True`,
  'binance-agg-trades': ({ at, ms, index }) =>
    `${3_100_000_000 + index},${55_000 + (ms % 90)}.${two(ms % 100)},0.00${100 + ms},${3_700_000_000 + 2 * index},${3_700_000_001 + 2 * index},${at.getTime()},${index % 2 === 0 ? 'True' : 'False'},True`,
  'trades-csv': ({ at, ms, index }) =>
    `SOLUSD,${at.toISOString()},${150 + (ms % 9)}.${two(ms % 100)},0.${100 + ms},${index % 2 === 0 ? 'buy' : 'sell'},${index}`,
  'trades-json': ({ at, ms, index }) =>
    `{"symbol":"ADAUSD","ts":"${at.toISOString()}","price":"0.${30_000 + ms}","size":"${100 + ms}","side":"${index % 2 === 0 ? 'buy' : 'sell'}","id":"${index}"}`,
};
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
/** First lines, and names, that tell a format what the lines do not. */
const HEADERS: Readonly<Record<string, string>> = {
  csv: 'time,level,message,service,path,ms,trace_id',
  'trades-csv': 'symbol,ts,price,size,side,id',
};
const NAMES: Readonly<Record<string, string>> = {
  'binance-trades': 'BTCUSDT-trades-2024-08-08.csv',
  'binance-agg-trades': 'ETHUSDT-aggTrades-2024-08-08.csv',
};

export const hasLines = (format: string): boolean => format in LINES;
export const fileNameOf = (format: string): string => NAMES[format] ?? `${format}.log`;

/** Writes lines of a format until there are so many, or so many bytes; returns how many it wrote. */
export async function writeLines(path: string, format: string, most: { lines?: number; bytes?: number }) {
  const line = LINES[format]!;
  const { lines: mostLines = Infinity, bytes: mostBytes = Infinity } = most;
  const lot = seeded(6);
  const file = createWriteStream(path);
  let [lines, bytes] = [0, 0];
  let block = HEADERS[format] === undefined ? '' : `${HEADERS[format]}\n`;
  while (lines < mostLines && bytes + block.length < mostBytes) {
    block += `${line(tell(lines++, lot))}\n`;
    if (block.length < BLOCK_LENGTH) continue;
    bytes += block.length;
    if (!file.write(block)) await once(file, 'drain');
    block = '';
  }
  file.end(block);
  await once(file, 'close');
  return { lines, bytes: bytes + block.length };
}

function tell(index: number, lot: () => number): Told {
  const chance = lot();
  return {
    index,
    at: new Date(START_MS + index * STEP_MS),
    level: chance < 0.02 ? 'error' : chance < 0.06 ? 'warn' : chance < 0.2 ? 'debug' : 'info',
    ms: Math.floor(lot() * 800),
    id: Math.floor(lot() * 2 ** 48)
      .toString(16)
      .padStart(32, '0'),
    path: `/items/${Math.floor(lot() * 5000)}`,
  };
}

const two = (value: number): string => String(value).padStart(2, '0');
const serverOf = (index: number): string => SERVERS[index % SERVERS.length]!;
const day = (at: Date): string => at.toISOString().slice(0, 10);
const clock = (at: Date): string => at.toISOString().slice(11, 19);
const month = (at: Date): string => MONTHS[at.getUTCMonth()]!;
const accessTime = (at: Date): string =>
  `${two(at.getUTCDate())}/${month(at)}/${at.getUTCFullYear()}:${clock(at)} +0000`;
