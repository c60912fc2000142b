import { accessLog } from './access-log.js';
import { binanceAggTrades, binanceTrades } from './binance-archive.js';
import { csv } from './csv.js';
import { detectAmong, fallbackAmong } from './detection.js';
import { apacheError, nginxError } from './error-log.js';
import type { LineFormat } from './format.js';
import { json } from './json-lines.js';
import { logfmt } from './logfmt.js';
import { text } from './plain-text.js';
import { syslog3164 } from './syslog-3164.js';
import { syslog5424 } from './syslog-5424.js';
import { tradesCsv } from './trades-csv.js';
import { tradesJson } from './trades-json.js';

/** All formats. Where a file looks as much like one as like another, the first of them reads it. */
export const FORMATS = [
  syslog5424,
  syslog3164,
  accessLog,
  nginxError,
  apacheError,
  binanceTrades,
  binanceAggTrades,
  tradesCsv,
  tradesJson,
  csv,
  json,
  logfmt,
  text,
] as readonly LineFormat[];

/** By a file's first lines; undefined where they look like no format. */
export const detectFormat = (lines: readonly string[]): LineFormat | undefined => detectAmong(FORMATS, lines);

/** Another format for a line that the file's own cannot read; undefined where it looks like none. */
export const fallbackFor = (line: string, own: LineFormat): LineFormat | undefined => fallbackAmong(FORMATS, line, own);
