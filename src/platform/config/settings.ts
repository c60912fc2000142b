import { readFileSync } from 'node:fs';
import { plainToInstance, Transform } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  ArrayUnique,
  IsArray,
  IsEmail,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Matches,
  Max,
  Min,
  MinLength,
  ValidateBy,
  validateSync,
  type ValidationError,
} from 'class-validator';
import { FEED_IDS, type FeedId } from '../../contracts/index.js';
import { type AnomalySetting, readAnomalies } from './anomaly-settings.js';
import { IsCidr } from './cidr.decorator.js';
import { durationMs, durationText, UNIT_MS } from './duration.js';
import { type PollSetting, readPolls } from './poll-settings.js';

export const MODULE_NAMES = [
  'ingestion',
  'processing',
  'aggregation',
  'alerts',
  'uploads',
  'webhooks',
  'streaming',
  'dashboard',
] as const;
export type ModuleName = (typeof MODULE_NAMES)[number];
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** `30s 5m 12h 30d` or `0` to milliseconds; anything else is left for the validator to name. */
const duration = (): PropertyDecorator => Transform(({ value }) => durationMs(value) ?? (value === '0' ? 0 : value));
/** 0, or at least so much: a slip such as 30m for 30d would lose what cannot be had again. */
const neverOrFrom = (least: string, example: string): PropertyDecorator =>
  ValidateBy(
    { name: 'neverOrFrom', validator: { validate: (value) => value === 0 || Number(value) >= durationMs(least)! } },
    { message: `must be 0 for never, or a duration of at least ${least} such as ${example}` },
  );
const number = (): PropertyDecorator =>
  Transform(({ value }) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : value));
const list = (): PropertyDecorator =>
  Transform(({ value }) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== '')
      : value,
  );

const symbols =
  (pattern: RegExp, example: string): PropertyDecorator =>
  (target, key) => {
    const message = `must be a list such as ${example}`;
    for (const rule of [list(), ArrayNotEmpty(), ArrayUnique(), Matches(pattern, { each: true, message })])
      rule(target, key as string);
  };
const WS_URL = { protocols: ['ws', 'wss'], require_protocol: true, require_tld: false };
const HTTP_URL = { protocols: ['http', 'https'], require_protocol: true, require_tld: false };
/** Paths are put behind it; what it says besides would stand in the log and in answers. */
const BARE = { disallow_auth: true, allow_query_components: false, allow_fragments: false };
const NOTHING_ELSE = 'without user, password, query and fragment';
const wsUrl = (): PropertyDecorator =>
  IsUrl({ ...WS_URL, ...BARE }, { message: `must be a ws:// or wss:// URL ${NOTHING_ELSE}` });
const restUrl = (): PropertyDecorator =>
  IsUrl({ ...HTTP_URL, ...BARE }, { message: `must be an http:// or https:// URL ${NOTHING_ELSE}` });
const pollUrl = (): PropertyDecorator =>
  IsUrl(
    { ...HTTP_URL, disallow_auth: true },
    { message: 'must be an http:// or https:// URL without user and password' },
  );

/** Every setting of the process, in the environment's own names, with its default. `.env.example` says the same. */
export class Settings {
  @number() @IsInt() @Min(0) @Max(65_535) PORT = 8080;
  @IsString() @MinLength(1) HOST = '127.0.0.1';

  @IsOptional()
  @Matches(/^postgres(ql)?:\/\//, { message: 'must start with postgres:// or postgresql://' })
  DATABASE_URL?: string;
  @IsOptional() @IsString() @MinLength(1) PSQL_ADDR?: string;
  @number() @IsInt() @Min(1) @Max(65_535) PSQL_PORT = 5432;
  @IsString() PSQL_USER = 'tapeline';
  @IsString() PSQL_PASS = '';
  @IsString() PSQL_DB = 'tapeline';
  /** Connections of the pool. */
  @number() @IsInt() @Min(4) @Max(100) DATABASE_POOL = 12;
  @IsString() @MinLength(1) DATA_DIR = './data';

  @list()
  @ArrayNotEmpty()
  @ArrayUnique()
  @IsIn(FEED_IDS, { each: true, message: `must be a list out of ${FEED_IDS.join(', ')}` })
  FEEDS: FeedId[] = ['simulator'];
  @symbols(/^[A-Z0-9]{2,30}$/, 'BTCUSDT,ETHUSDT') BINANCE_SYMBOLS: string[] = ['BTCUSDT', 'ETHUSDT', 'XRPUSDT'];
  @wsUrl() BINANCE_WS_URL = 'wss://stream.binance.com:9443';
  @restUrl() BINANCE_REST_URL = 'https://api.binance.com';
  /** Of both Coinbase feeds. */
  @symbols(/^[A-Z0-9]{2,20}-[A-Z0-9]{2,20}$/, 'BTC-USD,ETH-USD') COINBASE_SYMBOLS: string[] = [
    'BTC-USD',
    'ETH-USD',
    'XRP-USD',
  ];
  @wsUrl() COINBASE_WS_URL = 'wss://ws-feed.exchange.coinbase.com';
  @wsUrl() COINBASE_ADVANCED_WS_URL = 'wss://advanced-trade-ws.coinbase.com';
  @restUrl() COINBASE_REST_URL = 'https://api.exchange.coinbase.com';
  @symbols(/^[A-Z0-9]{2,20}[/_-]?[A-Z0-9]{2,20}$/, 'BTC/USD,ETH/USD') KRAKEN_SYMBOLS: string[] = [
    'BTC/USD',
    'ETH/USD',
    'XRP/USD',
  ];
  @wsUrl() KRAKEN_WS_URL = 'wss://ws.kraken.com/v2';
  @restUrl() KRAKEN_REST_URL = 'https://api.kraken.com';
  @symbols(/^[A-Z0-9_ ]{1,20}(:[A-Z0-9._-]{1,30})?$|^[A-Z0-9.-]{1,30}$/, 'AAPL,MSFT,BINANCE:BTCUSDT')
  FINNHUB_SYMBOLS: string[] = ['AAPL', 'MSFT', 'BINANCE:BTCUSDT'];
  @wsUrl() FINNHUB_WS_URL = 'wss://ws.finnhub.io';
  @IsOptional() @IsString() @MinLength(1) FINNHUB_TOKEN?: string;
  /** What the key's plan allows on its one connection; the free one, 50. */
  @number() @IsInt() @Min(1) @Max(1000) FINNHUB_MAX_SYMBOLS = 50;
  @pollUrl() FEAR_GREED_URL = 'https://api.alternative.me/fng/';
  @duration()
  @IsInt({ message: 'must be a duration such as 10m or 1h' })
  @Min(UNIT_MS.m, { message: 'must be at least 1m' })
  @Max(UNIT_MS.d, { message: 'must be at most 1d' })
  FEAR_GREED_EVERY = UNIT_MS.h;
  /** Given as a JSON list; of the feed poll. */
  @IsArray() POLLS: readonly PollSetting[] = [];

  /** Trades kept in memory while the database does not take them; beyond, they are dropped, counted and healed later. */
  @number() @IsInt() @Min(1000) @Max(10_000_000) RECEIVE_QUEUE_TRADES = 200_000;
  @number() @IsInt() @Min(0) @Max(600_000) CANDLE_LATENESS_MS = 2000;
  @number() @IsInt() @Min(0) @Max(100_000_000) BACKFILL_MAX_TRADES = 100_000;
  /** Where alerts read what was recorded, when this process does not run processing and aggregation itself. */
  @IsOptional() @restUrl() HISTORY_URL?: string;
  /** Given as a JSON list: how anomalies are looked for where it is not as by default. */
  @IsArray() ANOMALIES: readonly AnomalySetting[] = [];
  /** Trades of days older than this are packed into compressed blocks; 0: never. */
  @duration()
  @neverOrFrom('1h', '7d')
  TRADES_COMPRESS_AFTER = UNIT_MS.d * 7;
  /** Trades of days older than this are dropped, but not before they are recorded for so long; 0: never. */
  @duration()
  @neverOrFrom('1d', '30d')
  TRADES_RETENTION = UNIT_MS.d * 30;
  /** Alerts that are resolved, and silences that ended, for longer than this are deleted with their history; 0: never. */
  @duration()
  @IsInt({ message: 'must be a duration such as 90d, or 0 for never' })
  @Min(0)
  ALERTS_RETENTION = UNIT_MS.d * 90;
  /** Of one uploaded file, as it comes; and of a packed one, unpacked. */
  @number() @IsInt() @Min(1) @Max(2 ** 40) UPLOAD_MAX_BYTES = 2 * 2 ** 30;
  @number() @IsInt() @Min(1) @Max(2 ** 42) UPLOAD_MAX_UNPACKED_BYTES = 10 * 2 ** 30;
  /** Uploads that are taken, and files that are read, at the same time. */
  @number() @IsInt() @Min(1) @Max(100) UPLOAD_CONCURRENT = 4;
  @number() @IsInt() @Min(1) @Max(16) UPLOAD_READERS = 2;
  /** A client that sends nothing for so long is given up. */
  @duration()
  @IsInt({ message: 'must be a duration such as 30s' })
  @Min(1000, { message: 'must be at least 1s' })
  UPLOAD_STALL = 30_000;
  /** For one upload from its first byte to its last. */
  @duration()
  @IsInt({ message: 'must be a duration such as 1h' })
  @Min(1000, { message: 'must be at least 1s' })
  UPLOAD_MAX_TIME = UNIT_MS.h;
  /** Bytes of files whose reading ended before this are deleted, what was read of them is not; 0: never. */
  @duration()
  @IsInt({ message: 'must be a duration such as 7d, or 0 for never' })
  @Min(0)
  FILES_RETENTION = UNIT_MS.d * 7;
  /** Log events are dropped so long after the day they were stored on; 0: never. */
  @duration()
  @neverOrFrom('1d', '30d')
  LOGS_RETENTION = UNIT_MS.d * 30;
  /** Dead letters older than this are deleted, whatever became of them; 0: never. */
  @duration()
  @neverOrFrom('1h', '30d')
  DEAD_LETTERS_RETENTION = UNIT_MS.d * 30;
  /** Beyond so many the oldest are deleted, those that are over first. */
  @number() @IsInt() @Min(1000) @Max(10_000_000) DEAD_LETTERS_MAX = 100_000;
  /** Of the GitHub hooks; several while one replaces another. */
  @list()
  @ArrayMaxSize(10)
  @MinLength(8, { each: true, message: 'must be a list of secrets of at least 8 characters' })
  GITHUB_WEBHOOK_SECRET: string[] = [];
  /** Other hooks that sign by Standard Webhooks; a name may stand twice while one secret replaces another. */
  @list()
  @ArrayMaxSize(100)
  @Matches(/^(?!github:)[a-z0-9][a-z0-9-]{0,39}:whsec_[A-Za-z0-9+/]{32,86}={0,2}$/, {
    each: true,
    message: 'must be a list such as deploys:whsec_<base64 of 24 to 64 bytes>; github has a setting of its own',
  })
  WEBHOOKS: string[] = [];
  /** Deliveries of webhooks, and the events made of them, are deleted after this; 0: never. */
  @duration()
  @neverOrFrom('1h', '30d')
  WEBHOOKS_RETENTION = UNIT_MS.d * 30;
  /** How long delivered events stay readable for clients that resume; whole hours are dropped at a time. */
  @duration()
  @IsInt({ message: 'must be a duration such as 30s, 5m, 12h or 30d' })
  @Min(3_600_000, { message: 'must be at least 1h' })
  EVENTS_RETENTION = UNIT_MS.h * 2;

  @list()
  @ArrayNotEmpty()
  @ArrayUnique()
  @IsIn(MODULE_NAMES, { each: true, message: `must be a list out of ${MODULE_NAMES.join(', ')}` })
  MODULES: ModuleName[] = [...MODULE_NAMES];
  @IsOptional() @IsString() @MinLength(16) METRICS_TOKEN?: string;
  @number() @IsInt() @Min(1) @Max(100_000) STREAM_MAX_CLIENTS = 5000;
  /** Mail server of channels that name none of their own. */
  @IsOptional()
  @Matches(/^smtps?:\/\/[^\s/]+\/?$/, {
    message: 'must be a URL such as smtp://user:password@host:587 or smtps://host',
  })
  SMTP_URL?: string;
  @IsOptional()
  @IsEmail(
    { allow_display_name: true, require_tld: false },
    { message: 'must be a mail address such as alerts@example.com' },
  )
  SMTP_FROM?: string;
  /** What channels may reach although it is private or loopback. */
  @list()
  @ArrayMaxSize(100)
  @IsCidr({ each: true, message: 'must be a list of addresses or networks such as 10.1.0.0/16,192.168.1.5,fd00::/8' })
  ALLOW_PRIVATE_TARGETS: string[] = [];
  @IsIn(LOG_LEVELS, { message: `must be one of ${LOG_LEVELS.join(', ')}` }) LOG_LEVEL: (typeof LOG_LEVELS)[number] =
    'info';
}

const DURATIONS = new Set([
  'ALERTS_RETENTION',
  'DEAD_LETTERS_RETENTION',
  'EVENTS_RETENTION',
  'FEAR_GREED_EVERY',
  'FILES_RETENTION',
  'LOGS_RETENTION',
  'TRADES_COMPRESS_AFTER',
  'TRADES_RETENTION',
  'UPLOAD_MAX_TIME',
  'UPLOAD_STALL',
  'WEBHOOKS_RETENTION',
]);
/** Settings whose values are never printed. */
const SECRET = new Set([
  'DATABASE_URL',
  'PSQL_PASS',
  'METRICS_TOKEN',
  'FINNHUB_TOKEN',
  'POLLS',
  'SMTP_URL',
  'GITHUB_WEBHOOK_SECRET',
  'WEBHOOKS',
]);

/** Thrown at start; the message lists every fault with the setting's name and what would be right. */
export class SettingsError extends Error {
  constructor(readonly faults: readonly string[]) {
    super(`Settings are wrong:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`);
    this.name = 'SettingsError';
  }
}

/** Reads the environment once. Any `X` may be given as `X_FILE`, a path to its value. Throws SettingsError. */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const faults: string[] = [];
  const given: Record<string, unknown> = {};
  for (const name of Object.keys(new Settings()).concat(
    'DATABASE_URL',
    'PSQL_ADDR',
    'METRICS_TOKEN',
    'FINNHUB_TOKEN',
    'SMTP_URL',
    'SMTP_FROM',
  )) {
    const value = valueOf(name, env, faults);
    if (value !== undefined && value !== '') given[name] = value;
  }
  const { POLLS, ANOMALIES, ...plain } = given;
  const settings = plainToInstance(Settings, plain, { exposeDefaultValues: true });
  const { polls, faults: pollFaults } = readPolls(POLLS as string | undefined);
  settings.POLLS = polls;
  const { anomalies, faults: anomalyFaults } = readAnomalies(ANOMALIES as string | undefined);
  settings.ANOMALIES = anomalies;
  faults.push(...pollFaults, ...anomalyFaults);
  faults.push(...validateSync(settings, { forbidUnknownValues: true }).map((error) => faultOf(error, given)));
  faults.push(...moduleFaults(settings.MODULES));
  if (settings.DATABASE_URL?.startsWith('postgres') && !namesHost(settings.DATABASE_URL))
    faults.push(
      'DATABASE_URL: the given value (not shown) must be a URL such as postgres://user:password@host:5432/database',
    );
  const defaults = new Settings();
  const strays = (['PSQL_PORT', 'PSQL_USER', 'PSQL_PASS', 'PSQL_DB'] as const).filter(
    (name) => given[name] !== undefined && String(given[name]) !== String(defaults[name]),
  );
  if (strays.length > 0 && !settings.PSQL_ADDR && !settings.DATABASE_URL)
    faults.push(`${strays.join(', ')}: given without PSQL_ADDR, the host they are for`);
  if (settings.DATABASE_URL && settings.PSQL_ADDR)
    faults.push('DATABASE_URL and PSQL_ADDR: give one of them, not both');
  if (settings.FEEDS.includes('finnhub') && !settings.FINNHUB_TOKEN)
    faults.push('FINNHUB_TOKEN: the feed finnhub needs the key of your account');
  if (settings.FEEDS.includes('poll') && POLLS === undefined)
    faults.push('POLLS: the feed poll needs a list of what to ask for');
  if (!settings.FEEDS.includes('poll') && POLLS !== undefined)
    faults.push('POLLS: given, but FEEDS does not name poll');
  if (faults.length > 0) throw new SettingsError(faults);
  return settings;
}

/** What is in force, for `cli doctor`: secrets are masked. */
export function describeSettings(settings: Settings): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, shown(name, value)]),
  );
}

function shown(name: string, value: unknown): string {
  const text = name === 'ANOMALIES' && Array.isArray(value) && value.length > 0 ? JSON.stringify(value) : String(value);
  if (SECRET.has(name) && text !== '') return '(set)';
  return DURATIONS.has(name) ? durationText(value as number) : text;
}

const namesHost = (url: string): boolean => URL.canParse(url) && new URL(url).hostname !== '';

/** What one module hears of another in memory only, both must be in one process for. */
function moduleFaults(modules: unknown): string[] {
  if (!Array.isArray(modules)) return [];
  const lacks = (module: ModuleName, needed: ModuleName): boolean =>
    modules.includes(module) && !modules.includes(needed);
  return [
    ...(lacks('ingestion', 'processing')
      ? ['MODULES: ingestion hands its trades to processing in memory: run both here']
      : []),
    ...(lacks('streaming', 'processing')
      ? ['MODULES: streaming hears only what this process records: run processing here too']
      : []),
  ];
}

/** What stands beside the place in an address may be a password or a key. */
const isSecret = (property: string, value: unknown): boolean =>
  SECRET.has(property) || (property.endsWith('_URL') && /[@?#]/.test(String(value)));

function valueOf(name: string, env: NodeJS.ProcessEnv, faults: string[]): string | undefined {
  const file = env[`${name}_FILE`];
  if (file === undefined || file === '') return env[name];
  if (env[name] !== undefined && env[name] !== '') faults.push(`${name} and ${name}_FILE: give one of them, not both`);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    faults.push(`${name}_FILE: cannot read ${file} (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
    return undefined;
  }
}

function faultOf({ property, constraints = {} }: ValidationError, given: Record<string, unknown>): string {
  const texts = constraints.isInt !== undefined ? [constraints.isInt] : Object.values(constraints);
  const wanted = texts.map((text) => text.replace(new RegExp(`^(each value in )?${property} `), '$1')).join(' and ');
  const value = isSecret(property, given[property]) ? 'the given value (not shown)' : JSON.stringify(given[property]);
  return `${property}: ${value} ${wanted}`;
}
