import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { getMetadataStorage } from 'class-validator';
import { describe, expect, it } from 'vitest';
import { describeSettings, readSettings, Settings, SettingsError } from '../../src/platform/config/index.js';

const ROOT = join(import.meta.dirname, '../..');
const read = (file: string): string => (existsSync(join(ROOT, file)) ? readFileSync(join(ROOT, file), 'utf8') : '');

/** Everything that is validated is a setting; the class's own fields would miss those without a default. */
const KEYS = [
  ...new Set(
    getMetadataStorage()
      .getTargetValidationMetadatas(Settings, '', true, false)
      .map((one) => one.propertyName),
  ),
].sort();
/** Standard names that OpenTelemetry reads by itself. */
const FOREIGN = /^OTEL_/;
/** In place of a setting, the path of a file with its value. */
const BY_FILE = /_FILE$/;

type Line = Readonly<{ key: string; value: string; active: boolean }>;

/** `KEY=value` and, switched off, `# KEY=value`. */
function linesOf(text: string): Line[] {
  return [...text.matchAll(/^(# ?)?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, off, key, value]) => ({
    key: key!,
    value: value!.trim(),
    active: off === undefined,
  }));
}

/** What is wrong with an example of the environment; a value says the default when reading it gives the default. */
function exampleFaults(text: string): string[] {
  const lines = linesOf(text).filter(({ key }) => !FOREIGN.test(key) && !BY_FILE.test(key));
  const defaults = readSettings({});
  return [
    ...KEYS.filter((key) => !lines.some((line) => line.key === key)).map((key) => `${key} is missing`),
    ...lines.flatMap(({ key, value, active }, at) => {
      if (!KEYS.includes(key)) return [`${key} is no setting`];
      if (lines.findIndex((line) => line.key === key) !== at) return [`${key} stands twice`];
      const standard = defaults[key as keyof Settings];
      if (standard === undefined)
        return active && value !== '' ? [`${key} has no default, so its example must be switched off`] : [];
      return same(valueOf(key, value), standard)
        ? []
        : [`${key}=${value} is not the default ${JSON.stringify(standard)}`];
    }),
  ];
}

function valueOf(key: string, value: string): unknown {
  try {
    return readSettings({ [key]: value })[key as keyof Settings];
  } catch (error) {
    if (error instanceof SettingsError) return error;
    throw error;
  }
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Keys that no row of a table names, in backticks, in its first cell. */
function missingRows(markdown: string): string[] {
  const told = new Set(
    [...markdown.matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell]) =>
      [...cell!.matchAll(/`([A-Z][A-Z0-9_]*)`/g)].map(([, key]) => key!),
    ),
  );
  return KEYS.filter((key) => !told.has(key));
}

const without = (key: string) => (lines: string[]) => lines.filter((line) => !new RegExp(`^(# )?${key}=`).test(line));

describe('the settings', () => {
  it('are all found', () => {
    expect(KEYS).toEqual(expect.arrayContaining(['PORT', 'DATABASE_URL', 'PSQL_ADDR', 'METRICS_TOKEN', 'LOG_LEVEL']));
    expect(Object.keys(readSettings({})).filter((key) => !KEYS.includes(key))).toEqual([]);
  });

  it.each(KEYS)('are read from the environment: %s', (key) => {
    expect(() => readSettings({ [`${key}_FILE`]: '/nowhere/value' })).toThrow(
      `${key}_FILE: cannot read /nowhere/value`,
    );
  });

  it('stand in .env.example with their defaults', () => expect(exampleFaults(read('.env.example'))).toEqual([]));

  it('stand in a table of the README', () => expect(missingRows(read('README.md'))).toEqual([]));
});

describe('the check of the settings', () => {
  const defaults = describeSettings(new Settings());
  const good = KEYS.map((key) => (defaults[key] === undefined ? `# ${key}=` : `${key}=${defaults[key]}`));
  const faultsWith = (change: (lines: string[]) => string[]): string[] => exampleFaults(change(good).join('\n'));

  it('accepts the defaults in the spelling of the environment', () => expect(faultsWith((lines) => lines)).toEqual([]));

  it('accepts what OpenTelemetry reads, and files', () =>
    expect(
      faultsWith((lines) => [...lines, 'OTEL_SERVICE_NAME=tapeline', '# PSQL_PASS_FILE=/run/secrets/pass']),
    ).toEqual([]));

  it.each([
    ['a setting that is missing', without('PORT'), 'PORT is missing'],
    ['a setting that is gone', (lines: string[]) => [...lines, 'COLOUR=red'], 'COLOUR is no setting'],
    ['a setting told twice', (lines: string[]) => [...lines, '# PORT=8080'], 'PORT stands twice'],
    [
      'a default that moved',
      (lines: string[]) => [...without('PORT')(lines), 'PORT=80'],
      'PORT=80 is not the default 8080',
    ],
    [
      'a value nobody accepts',
      (lines: string[]) => [...without('FEEDS')(lines), '# FEEDS=nyse'],
      'FEEDS=nyse is not the default ["simulator"]',
    ],
    [
      'an example that would be in force',
      (lines: string[]) => [...without('METRICS_TOKEN')(lines), 'METRICS_TOKEN=0123456789abcdef'],
      'METRICS_TOKEN has no default, so its example must be switched off',
    ],
  ])('would have caught %s', (_what, change, fault) => expect(faultsWith(change)).toEqual([fault]));

  it('would have caught a row that is missing', () => {
    const table = KEYS.map((key) => `| \`${key}\` | … |`);
    expect(missingRows(table.join('\n'))).toEqual([]);
    expect(missingRows(table.filter((row) => !row.includes('`PORT`')).join('\n'))).toEqual(['PORT']);
    expect(
      missingRows(
        `${table.filter((row) => !row.includes('`PORT`')).join('\n')}\n\nSet \`PORT\` to a free one. | \`PORT\` |`,
      ),
    ).toEqual(['PORT']);
  });
});
