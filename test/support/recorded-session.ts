import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { OracleTrade } from '../../bench/candle-oracle.js';

const FOLDER = join(import.meta.dirname, '../../../shared/data/market/binance-spot');

/** Files of the recorded ETHUSDT session, in order; undefined where the shared data is not there. */
export const SESSION_FILES: readonly string[] | undefined = existsSync(FOLDER)
  ? ['ethusdt_20240808.gz', 'ethusdt_20240809.gz'].map((name) => join(FOLDER, name))
  : undefined;

export type SessionTrade = OracleTrade & Readonly<{ receivedUs: number }>;

/** The trades as recorded, read by nothing but JSON.parse. */
export function sessionTrades(): SessionTrade[] {
  return SESSION_FILES!.flatMap((file) =>
    gunzipSync(readFileSync(file))
      .toString()
      .split('\n')
      .filter((line) => line.includes('"e":"trade"'))
      .map((line) => {
        const { data } = JSON.parse(line.slice(line.indexOf(' ') + 1)) as {
          data: { t: number; p: string; q: string; T: number; m: boolean };
        };
        const receivedUs = Number(line.slice(0, line.indexOf(' ') - 3));
        return { id: data.t, price: data.p, size: data.q, atUs: data.T * 1000, receivedUs, buyerIsMaker: data.m };
      }),
  );
}
