import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cruise, type ICruiseOptions, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const rules = createRequire(import.meta.url)('./boundaries.cjs') as {
  forbidden: { name: string }[];
  options: ICruiseOptions;
};

async function look(baseDir: string): Promise<ICruiseResult> {
  const options = {
    ...rules.options,
    ruleSet: { forbidden: rules.forbidden } as IFlattenedRuleSet,
    validate: true,
    baseDir,
  };
  const { output } = await cruise(['src'], options, undefined, {
    tsConfig: extractTSConfig(join(ROOT, 'tsconfig.json')),
  });
  return output as ICruiseResult;
}

const violations = ({ summary }: ICruiseResult): string[] =>
  summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);

describe('imports', () => {
  let result: ICruiseResult;
  beforeAll(async () => {
    result = await look(ROOT);
  });

  it('were looked at in every source file', () => {
    const onDisk = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    const seen = result.modules.map(({ source }) => source).filter((source) => source.startsWith('src/'));
    expect(onDisk.length).toBeGreaterThan(100);
    expect(seen.sort()).toEqual(onDisk.map((file) => `src/${file}`).sort());
  });

  it('were seen as values, as types and as dynamic ones', () => {
    const kinds = new Set(
      result.modules.flatMap(({ dependencies }) => dependencies.flatMap(({ dependencyTypes }) => dependencyTypes)),
    );
    expect([...kinds]).toEqual(expect.arrayContaining(['local', 'npm', 'core', 'import', 'export', 'type-only']));
  });

  it('go the allowed ways only', () => expect(violations(result)).toEqual([]));
});

/** A file that breaks one rule, new or in the place of the real one: its text, and the rule that must name it. */
type Fault = readonly [what: string, file: string, text: string, rule: string];

const FAULTS: readonly Fault[] = [
  [
    'a module that imports a value of another module',
    'src/aggregation/f1.service.ts',
    `import { ProcessingModule } from '../processing/index.js'; export const x = ProcessingModule;`,
    'no-module-to-module',
  ],
  [
    'a module that imports a type of another module',
    'src/aggregation/f2.service.ts',
    `import type { ProcessingModule } from '../processing/index.js'; export type X = ProcessingModule;`,
    'no-module-to-module',
  ],
  [
    'a module that imports another module dynamically',
    'src/aggregation/f3.service.ts',
    `export const x = () => import('../processing/index.js');`,
    'no-module-to-module',
  ],
  [
    'a module that re-exports another module',
    'src/aggregation/f4.service.ts',
    `export * from '../processing/index.js';`,
    'no-module-to-module',
  ],
  [
    'a type named in place out of another module',
    'src/aggregation/f5.service.ts',
    `export type X = import('../processing/index.js').ProcessingModule;`,
    'no-module-to-module',
  ],
  [
    'a module that is as new as this test',
    'src/brand-new/f6.service.ts',
    `import { x } from '../aggregation/f3.service.js'; export const y = x;`,
    'no-module-to-module',
  ],
  [
    'a spec that leans on another module',
    'src/aggregation/f7.unit.spec.ts',
    `import { ProcessingModule } from '../processing/index.js'; export const x = ProcessingModule;`,
    'no-module-to-module',
  ],
  [
    'a second file that composes modules',
    'src/f8.ts',
    `import { ProcessingModule } from './processing/index.js'; export const x = ProcessingModule;`,
    'only-app-module-composes',
  ],
  [
    'a tool that takes a part out of a module',
    'src/cli.ts',
    `import { windowStart } from './aggregation/candles/candle.js'; export const x = windowStart;`,
    'tools-start-servers-only',
  ],
  [
    'a tool beside it that takes a part out of a module',
    'src/cli-f36.ts',
    `import { windowStart } from './aggregation/candles/candle.js'; export const x = windowStart;`,
    'tools-start-servers-only',
  ],
  [
    'a service that calls what is there for tools',
    'src/ingestion/f37.service.ts',
    `import { recordSample } from './seed.tool.js'; export const x = recordSample;`,
    'tools-alone-call-tools',
  ],
  [
    'a composition past the face of a module',
    'src/app.module.ts',
    `import { CandleStore } from './aggregation/candles/candle.store.js'; export const x = CandleStore;`,
    'compose-through-the-face',
  ],
  [
    'a platform that knows a module',
    'src/platform/bus/f10.ts',
    `import type { AggregationModule } from '../../aggregation/index.js'; export type X = AggregationModule;`,
    'platform-knows-no-module',
  ],
  [
    'a module that knows the composition',
    'src/aggregation/f11.service.ts',
    `import { VERSION } from '../version.js'; export const x = VERSION;`,
    'modules-know-no-composition',
  ],
  [
    'a module that reaches behind the face of the platform',
    'src/aggregation/f12.service.ts',
    `import type { Lane } from '../platform/bus/lane.js'; export type X = Lane;`,
    'platform-through-the-face',
  ],
  [
    'a module that reaches behind the face of the contracts',
    'src/aggregation/f13.service.ts',
    `import { exact } from '../contracts/decimal.js'; export const x = exact;`,
    'platform-through-the-face',
  ],
  [
    'a part of the platform that reaches into another part',
    'src/platform/http/f14.ts',
    `import { Lane } from '../bus/lane.js'; export const x = Lane;`,
    'platform-parts-through-the-face',
  ],
  [
    'a composition that reaches into the platform',
    'src/f15.ts',
    `import { Lane } from './platform/bus/lane.js'; export const x = Lane;`,
    'composition-through-the-face',
  ],
  [
    'contracts that import the platform',
    'src/contracts/f16.ts',
    `import type { ErrorCode } from '../platform/errors/index.js'; export type X = ErrorCode;`,
    'contracts-are-a-leaf',
  ],
  [
    'contracts that import a package',
    'src/contracts/f17.ts',
    `import { Injectable } from '@nestjs/common'; export const x = Injectable;`,
    'contracts-are-a-leaf',
  ],
  [
    'contracts that import what Node has built in',
    'src/contracts/f18.ts',
    `import { readFileSync } from 'node:fs'; export const x = readFileSync;`,
    'contracts-are-a-leaf',
  ],
  [
    'a pure file that reads files',
    'src/aggregation/f19.ts',
    `import { readFileSync } from 'node:fs'; export const x = readFileSync;`,
    'pure-files-stay-pure',
  ],
  [
    'a pure file that waits',
    'src/aggregation/f20.ts',
    `import { setTimeout } from 'node:timers/promises'; export const x = setTimeout;`,
    'pure-files-stay-pure',
  ],
  [
    'a pure file that queries',
    'src/aggregation/f21.ts',
    `import { DataSource } from 'typeorm'; export const x = DataSource;`,
    'pure-files-stay-pure',
  ],
  [
    'a pure file that stands on the platform',
    'src/aggregation/f22.ts',
    `import { Bus } from '../platform/bus/index.js'; export const x = Bus;`,
    'pure-files-stay-pure',
  ],
  [
    'a pure file that calls a store',
    'src/aggregation/f23.ts',
    `import { CandleStore } from './candles/candle.store.js'; export const x = CandleStore;`,
    'pure-files-stay-pure',
  ],
  [
    'a pure file one folder deeper that opens a socket',
    'src/ingestion/connectors/f24.ts',
    `import { WebSocket } from 'ws'; export const x = WebSocket;`,
    'pure-files-stay-pure',
  ],
  [
    'SQL in a service',
    'src/aggregation/f25.service.ts',
    `import { DataSource } from 'typeorm'; export const x = DataSource;`,
    'sql-lives-in-stores',
  ],
  [
    'a second driver in a controller',
    'src/aggregation/f26.controller.ts',
    `import { Client } from 'pg'; export const x = Client;`,
    'sql-lives-in-stores',
  ],
  [
    'an entity outside its store',
    'src/aggregation/f27.service.ts',
    `import type { E } from './f28.entity.js'; export type X = E;`,
    'entities-stay-in-the-store',
  ],
  [
    'an emitter outside the bus',
    'src/streaming/f29.service.ts',
    `import { EventEmitter2 } from '@nestjs/event-emitter'; export const x = EventEmitter2;`,
    'emitter-only-in-the-bus',
  ],
  [
    'two files that import each other',
    'src/aggregation/f30.ts',
    `import { y } from './f31.js'; export const x = (): unknown => y;`,
    'no-cycles',
  ],
  [
    'an import of nothing',
    'src/aggregation/f32.service.ts',
    `import { x } from './no-such-file.js'; export const y = x;`,
    'no-unresolvable',
  ],
  [
    'shipped code that leans on a test',
    'src/aggregation/f33.service.ts',
    `import { eventually } from '../../test/support/eventually.js'; export const x = eventually;`,
    'src-never-imports-test',
  ],
  [
    'shipped code that leans on a spec',
    'src/aggregation/f34.service.ts',
    `import { x } from './f7.unit.spec.js'; export const y = x;`,
    'src-never-imports-test',
  ],
  [
    'a module that reads the migrations',
    'src/aggregation/f35.service.ts',
    `import { MIGRATIONS } from '../../migrations/index.js'; export const x = MIGRATIONS;`,
    'src-stays-in-src',
  ],
];
const COMPANIONS: Readonly<Record<string, string>> = {
  'src/aggregation/f28.entity.ts': 'export class E {}',
  'src/aggregation/f31.ts': `import { x } from './f30.js'; export const y = (): unknown => x;`,
};

/** What the rules allow on purpose; each stands for an exception in boundaries.cjs. */
const ALLOWED: Readonly<Record<string, string>> = {
  'src/aggregation/ok1.ts': `import type { SeriesKey } from './candles/candle.store.js'; import { exact } from '../contracts/index.js'; export const x: (key: SeriesKey) => unknown = () => exact;`,
  'src/aggregation/ok2.unit.spec.ts': `import { eventually } from '../../test/support/eventually.js'; import { DataSource } from 'typeorm'; export const x = [eventually, DataSource];`,
  'src/aggregation/ok3.server.ts': `import { createServer } from 'node:http'; export const x = createServer;`,
  'src/aggregation/ok4.service.ts': `import type { EntityManager } from 'typeorm'; import { Bus } from '../platform/bus/index.js'; export const x: [typeof Bus, EntityManager?] = [Bus];`,
  'src/contracts/ok5.unit.spec.ts': `import { expect } from 'vitest'; import { exact } from './decimal.js'; export const x = [expect, exact];`,
};

describe('the rules of imports', () => {
  const copy = mkdtempSync(join(tmpdir(), 'tapeline-boundaries-'));
  let found: string[];
  let brokenBefore: Set<string>;

  beforeAll(async () => {
    for (const folder of ['src', 'migrations', 'test/support', 'package.json'])
      cpSync(join(ROOT, folder), join(copy, folder), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    const planted = { ...COMPANIONS, ...ALLOWED, ...Object.fromEntries(FAULTS.map(([, file, text]) => [file, text])) };
    for (const [file, text] of Object.entries(planted)) {
      mkdirSync(dirname(join(copy, file)), { recursive: true });
      writeFileSync(join(copy, file), text);
    }
    brokenBefore = new Set(violations(await look(ROOT)));
    found = violations(await look(copy));
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  it.each(FAULTS)('would have caught %s', (_what, file, _text, rule) => {
    expect(found.map((one) => one.split(' -> ')[0])).toContain(`${rule}: ${file}`);
  });

  it('find the planted faults and nothing beside them', () => {
    const planted = [...FAULTS.map(([, file]) => file), ...Object.keys(COMPANIONS)];
    const beside = found.filter(
      (one) => !brokenBefore.has(one) && !planted.some((file) => one.includes(`: ${file} -> `)),
    );
    expect(beside).toEqual([]);
  });

  it('each have a planted fault', () => {
    expect([...new Set(FAULTS.map(([, , , rule]) => rule))].sort()).toEqual(
      [...new Set(rules.forbidden.map(({ name }) => name))].sort(),
    );
  });
});
