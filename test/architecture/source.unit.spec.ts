import 'reflect-metadata';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { handlersOf } from '../../src/platform/bus/index.js';

/** What a graph of imports cannot see. Modules are discovered by listing src/: none is named here. */
const ROOT = join(import.meta.dirname, '../..');
const MOST_LINES = 400;
const FORBIDDEN_NAMES = /^(utils?|helpers?|types?|interfaces?|common|misc)(\.|$)/;
const FILE_NAME =
  /^[a-z0-9]+(-[a-z0-9]+)*(\.(module|controller|dto|handler|service|store|entity|gateway|filter|decorator|events|server|tool))?(\.(unit|int|e2e)\.spec)?\.ts$/;
const EVENT_NAME = /^([a-z]+)\.[a-z0-9]+(?:-[a-z0-9]+)+\.v([1-9]\d*)$/;
const HANDLER_NAME = /^([a-z]+)\.[a-z]+(-[a-z0-9]+)+$/;
/** A statement, by how it begins. */
const SQL =
  /^\s*(select\s[\s\S]*\sfrom\s|insert\s+into\s|update\s+\S+\s+(\w+\s+)?set\s|delete\s+from\s|with\s+\w+\s+as\s*\(|(create|drop|alter)\s+(table|schema|index|type)\s|truncate\s|lock\s+table\s|copy\s+\S+\s+(from|to)\s)/i;

type Files = ReadonlyMap<string, string>;

/** Every fault as `rule: file: what`. */
function faultsIn(files: Files): string[] {
  const modules = [...new Set([...files.keys()].flatMap((file) => /^src\/([^/]+)\//.exec(file)?.[1] ?? []))].filter(
    (name) => name !== 'contracts' && name !== 'platform',
  );
  const schemas = [...new Set([...modules, 'bus', ...[...files.values()].flatMap(createdSchemas)])];
  const faults: string[] = [];
  for (const [file, text] of files) {
    faults.push(...fileFaults(file, text, modules));
    if (file.endsWith('.spec.ts')) continue;
    faults.push(
      ...sqlFaults(file, text, schemas),
      ...environmentFaults(file, text),
      ...eventFaults(file, text, modules),
    );
  }
  return faults;
}

const createdSchemas = (text: string): string[] =>
  [...text.matchAll(/\bcreate schema (?:if not exists )?(\w+)/g)].map(([, name]) => name!);

function fileFaults(file: string, text: string, modules: readonly string[]): string[] {
  const faults: string[] = [];
  const name = file.slice(file.lastIndexOf('/') + 1);
  if (file.startsWith('src/') && (FORBIDDEN_NAMES.test(name) || !FILE_NAME.test(name)))
    faults.push(`file-name: ${file}: name the thing, then its role`);
  const lines = text.trimEnd().split('\n').length;
  if (!name.endsWith('.spec.ts') && lines > MOST_LINES)
    faults.push(`file-length: ${file}: ${lines} lines, ${MOST_LINES} at most`);
  const [, module] = /^src\/([^/]+)\/index\.ts$/.exec(file) ?? [];
  if (
    module &&
    modules.includes(module) &&
    !new RegExp(`^export \\{ \\w+Module \\} from '\\./${module}\\.module\\.js';$`).test(text.trim())
  ) {
    faults.push(`module-face: ${file}: one line, the Nest module`);
  }
  return faults;
}

/** Stores name the schema of their own module and no other; nobody else writes SQL, but the database part and the migrations. */
function sqlFaults(file: string, text: string, schemas: readonly string[]): string[] {
  const [, migrated] = /^migrations\/\d+-([a-z]+)[^/]*\.ts$/.exec(file) ?? [];
  const [, part] = /^src\/(?:platform\/)?([^/]+)\//.exec(file) ?? [];
  const own = migrated ?? part;
  const literals = literalsOf(text);
  if (migrated !== undefined || file.endsWith('.store.ts')) {
    const named = literals.flatMap((literal) =>
      [...literal.matchAll(/(?<![\w.'"])"?([a-z_]+)"?\.(?=["%]?[a-z_])/gi)].map(([, schema]) => schema!),
    );
    const foreign = [...new Set(named)].filter((schema) => schemas.includes(schema) && schema !== own);
    const quoted = literals.flatMap((literal) =>
      [...literal.matchAll(/'([a-z_]+)\.[a-z_]+'(?=::regclass|\))/g)].map(([, schema]) => schema!),
    );
    foreign.push(...quoted.filter((schema) => schemas.includes(schema) && schema !== own && !foreign.includes(schema)));
    const path = literals.some((literal) => /\bsearch_path\b/i.test(literal))
      ? [`foreign-schema: ${file}: sets search_path`]
      : [];
    return [...foreign.map((schema) => `foreign-schema: ${file}: names ${schema}`), ...path];
  }
  if (!file.startsWith('src/') || file.startsWith('src/platform/database/')) return [];
  return literals
    .filter((literal) => SQL.test(literal))
    .map((literal) => `sql-outside-store: ${file}: ${literal.trim().slice(0, 40)}`);
}

function environmentFaults(file: string, text: string): string[] {
  if (!file.startsWith('src/') || file.startsWith('src/platform/config/') || file === 'src/tracing.ts') return [];
  // The composition root hands the environment to the one reader, and does nothing else with it.
  const code = withoutComments(text).replaceAll(/^src\/[^/]+\.ts$/.test(file) ? 'readSettings(process.env)' : '\0', '');
  const reads =
    /\bprocess\s*\??\.\s*env\b|\bprocess\s*(\?\.)?\[|=\s*process\b(?!\s*\??\.)|from 'node:process'|import\.meta\.env\b/.test(
      code,
    );
  return reads ? [`environment: ${file}: settings come from platform/config`] : [];
}

function eventFaults(file: string, text: string, modules: readonly string[]): string[] {
  if (!file.startsWith('src/')) return [];
  const [, owner] = /^src\/contracts\/([a-z]+)\.events\.ts$/.exec(file) ?? [];
  const faults: string[] = [];
  for (const { constant, name } of eventsOf(text)) {
    const [, told, version] = EVENT_NAME.exec(name ?? '') ?? [];
    if (owner === undefined)
      faults.push(`event-place: ${file}: ${constant} is declared outside contracts/<owner>.events.ts`);
    else if (told === undefined) faults.push(`event-name: ${file}: ${name} is not <owner>.<kebab-words>.v<n>`);
    else if (told !== owner || !modules.includes(told)) faults.push(`event-owner: ${file}: ${name} belongs to ${told}`);
    else if (!constant.endsWith(`V${version}`)) faults.push(`event-version: ${file}: ${constant} is ${name}`);
  }
  return faults;
}

/** Calls of `durable()` and `volatile()` that declare an event; the functions themselves stand in event.ts. */
function eventsOf(text: string): { constant: string; name: string | undefined }[] {
  const events: { constant: string; name: string | undefined }[] = [];
  walk(text, (node) => {
    if (!ts.isVariableDeclaration(node) || !node.initializer || !ts.isCallExpression(node.initializer)) return;
    const {
      expression,
      arguments: [first],
    } = node.initializer;
    if (!ts.isIdentifier(expression) || !/^(durable|volatile)$/.test(expression.text)) return;
    events.push({
      constant: node.name.getText(),
      name: first && ts.isStringLiteralLike(first) ? first.text : undefined,
    });
  });
  return events;
}

/** Texts of string literals and of the constant parts of templates, these joined where a value goes in. */
function literalsOf(text: string): string[] {
  const literals: string[] = [];
  walk(text, (node) => {
    if (ts.isStringLiteralLike(node) && !ts.isImportDeclaration(node.parent) && !ts.isExportDeclaration(node.parent))
      literals.push(node.text);
    else if (ts.isTemplateExpression(node))
      literals.push(node.head.text + node.templateSpans.map((span) => `$$${span.literal.text}`).join(''));
  });
  return literals;
}

function withoutComments(text: string): string {
  const source = ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true);
  return ts.createPrinter({ removeComments: true }).printFile(source);
}

function walk(text: string, visit: (node: ts.Node) => void): void {
  const down = (node: ts.Node): void => {
    visit(node);
    ts.forEachChild(node, down);
  };
  down(ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true));
}

type Handler = Readonly<{ module: string; name: string; event: string }>;

function handlerFaults(handlers: readonly Handler[], events: ReadonlySet<string>): string[] {
  return handlers.flatMap(({ module, name, event }, at) => {
    const faults: string[] = [];
    if (HANDLER_NAME.exec(name)?.[1] !== module)
      faults.push(`handler-name: ${name} in ${module} is not ${module}.verb-noun`);
    if (handlers.findIndex((one) => one.name === name) !== at) faults.push(`handler-twice: ${name}`);
    if (!events.has(event)) faults.push(`handler-event: ${name} takes ${event}, which no contract declares`);
    return faults;
  });
}

const sources = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => `${folder}/${file}`)
    .filter((file) => file.endsWith('.ts') && statSync(join(ROOT, file)).isFile())
    .sort();

/** The handlers of every module, as the decorators left them: computed names are seen too. */
async function decoratedHandlers(files: Files): Promise<Handler[]> {
  const found: Handler[] = [];
  for (const file of files.keys()) {
    const [, module] =
      /^src\/(?!platform\/|contracts\/)([^/]+)\/.*\.(?:service|handler|gateway|controller)\.ts$/.exec(file) ?? [];
    if (!module) continue;
    const exported = (await import(join(ROOT, file))) as Record<string, unknown>;
    for (const value of Object.values(exported)) {
      if (typeof value !== 'function' || !value.prototype) continue;
      for (const property of Object.values(Object.getOwnPropertyDescriptors(value.prototype as object))) {
        if (typeof property.value !== 'function') continue;
        for (const { name, event } of handlersOf(property.value as object))
          found.push({ module, name, event: event.name });
      }
    }
  }
  return found;
}

describe('the source', () => {
  const files: Files = new Map(
    [...sources('src'), ...sources('migrations')].map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]),
  );
  const events = [...files]
    .filter(([file]) => !file.endsWith('.spec.ts'))
    .flatMap(([, text]) => eventsOf(text).map(({ name }) => name ?? ''));

  it('was looked at', () => {
    expect(files.size).toBeGreaterThan(100);
    expect(events.length).toBeGreaterThan(8);
    expect(
      [...files].filter(([file, text]) => file.endsWith('.store.ts') && literalsOf(text).length > 0).length,
    ).toBeGreaterThan(5);
  });

  it('has no fault that imports do not show', () => expect(faultsIn(files)).toEqual([]));

  it('declares every event once', () => expect(events.filter((name, at) => events.indexOf(name) !== at)).toEqual([]));

  it('has handlers with names of their own, after their module, of events that contracts declare', async () => {
    const handlers = await decoratedHandlers(files);
    expect(handlers.length).toBeGreaterThan(8);
    expect(handlerFaults(handlers, new Set(events))).toEqual([]);
  }, 60_000);
});

const store = (sql: string): string => `export class S { q() { return this.db.query(\`${sql}\`); } }`;

describe('the rules of the source', () => {
  const tree: Files = new Map([
    ['src/orders/index.ts', `export { OrdersModule } from './orders.module.js';\n`],
    ['src/stock/index.ts', `export { StockModule } from './stock.module.js';\n`],
    [
      'src/orders/order.store.ts',
      store(
        "insert into orders.line (a) select s.stock from orders.stock s where s.note = 'orders and stock.' and $1 < now()",
      ),
    ],
    ['src/orders/totals.ts', `/** Reads process.env? No. */\nexport const said = 'select one of them';`],
    ['src/contracts/orders.events.ts', `export const OrderPaidV2 = durable<Paid>('orders.order-paid.v2');`],
    ['src/main.ts', 'const settings = readSettings(process.env);'],
    ['src/platform/config/settings.ts', 'const env = process.env;'],
    ['src/platform/bus/event.store.ts', store('select * from bus.event')],
    ['migrations/1-orders.ts', `export const up = 'create schema orders; create table orders.line (id int)';`],
  ]);

  it('find nothing in a tree that keeps them', () => expect(faultsIn(tree)).toEqual([]));

  it.each([
    [
      'SQL that reads another module',
      'src/orders/x.store.ts',
      store('select * from stock.item'),
      'foreign-schema: src/orders/x.store.ts: names stock',
    ],
    [
      'SQL that joins another module, quoted',
      'src/orders/x.store.ts',
      store('select * from orders.line join "stock"."item" using (id)'),
      'foreign-schema: src/orders/x.store.ts: names stock',
    ],
    [
      'SQL put together around another module',
      'src/orders/x.store.ts',
      store('select ${all} from stock.${table}x where a in (select 1 from stock.item)'),
      'foreign-schema: src/orders/x.store.ts: names stock',
    ],
    [
      'another module named as text',
      'src/orders/x.store.ts',
      store("select 'stock.item'::regclass"),
      'foreign-schema: src/orders/x.store.ts: names stock',
    ],
    [
      'a module that reads the outbox',
      'src/orders/x.store.ts',
      store('delete from bus.delivery'),
      'foreign-schema: src/orders/x.store.ts: names bus',
    ],
    [
      'an outbox that reads a module',
      'src/platform/bus/x.store.ts',
      store('select * from orders.line'),
      'foreign-schema: src/platform/bus/x.store.ts: names orders',
    ],
    [
      'a store that changes where names lead',
      'src/orders/x.store.ts',
      store('set local search_path to stock'),
      'foreign-schema: src/orders/x.store.ts: sets search_path',
    ],
    [
      'a foreign key across schemas',
      'migrations/2-orders.ts',
      store('alter table orders.line add foreign key (item) references stock.item'),
      'foreign-schema: migrations/2-orders.ts: names stock',
    ],
    [
      'SQL in a service',
      'src/orders/x.service.ts',
      store('update orders.line set paid = true'),
      'sql-outside-store: src/orders/x.service.ts: update orders.line set paid = true',
    ],
    [
      'the environment read deep in a module',
      'src/orders/x.service.ts',
      'const port = process.env.PORT;',
      'environment: src/orders/x.service.ts: settings come from platform/config',
    ],
    [
      'the environment taken apart',
      'src/orders/x.service.ts',
      'const { env } = process;',
      'environment: src/orders/x.service.ts: settings come from platform/config',
    ],
    [
      'the environment imported',
      'src/orders/x.service.ts',
      `import { env } from 'node:process';`,
      'environment: src/orders/x.service.ts: settings come from platform/config',
    ],
    [
      'a composition root that looks for itself',
      'src/main.ts',
      'readSettings(process.env); if (process.env.DEBUG) go();',
      'environment: src/main.ts: settings come from platform/config',
    ],
    [
      'a face that shows more',
      'src/stock/index.ts',
      `export { StockModule } from './stock.module.js';\nexport * from './item.js';\n`,
      'module-face: src/stock/index.ts: one line, the Nest module',
    ],
    [
      'an event that is a command',
      'src/contracts/orders.events.ts',
      `export const PayV1 = durable('orders.pay');`,
      'event-name: src/contracts/orders.events.ts: orders.pay is not <owner>.<kebab-words>.v<n>',
    ],
    [
      'an event of another owner',
      'src/contracts/orders.events.ts',
      `export const XV1 = volatile<T>('stock.item-sold.v1');`,
      'event-owner: src/contracts/orders.events.ts: stock.item-sold.v1 belongs to stock',
    ],
    [
      'an event of nobody',
      'src/contracts/ghosts.events.ts',
      `export const XV1 = volatile<T>('ghosts.item-seen.v1');`,
      'event-owner: src/contracts/ghosts.events.ts: ghosts.item-seen.v1 belongs to ghosts',
    ],
    [
      'an event whose name and version differ',
      'src/contracts/orders.events.ts',
      `export const OrderPaidV1 = durable('orders.order-paid.v2');`,
      'event-version: src/contracts/orders.events.ts: OrderPaidV1 is orders.order-paid.v2',
    ],
    [
      'an event declared in a module',
      'src/orders/paid.ts',
      `const PaidV1 = durable('orders.order-paid.v1');`,
      'event-place: src/orders/paid.ts: PaidV1 is declared outside contracts/<owner>.events.ts',
    ],
    [
      'a file too long to read',
      'src/orders/x.ts',
      'x;\n'.repeat(401),
      'file-length: src/orders/x.ts: 401 lines, 400 at most',
    ],
    ['a drawer', 'src/orders/utils.ts', 'x;', 'file-name: src/orders/utils.ts: name the thing, then its role'],
    [
      'a drawer with a role',
      'src/orders/types.dto.ts',
      'x;',
      'file-name: src/orders/types.dto.ts: name the thing, then its role',
    ],
    [
      'a role nobody knows',
      'src/orders/x.manager.ts',
      'x;',
      'file-name: src/orders/x.manager.ts: name the thing, then its role',
    ],
    [
      'a name in another case',
      'src/orders/OrderLine.ts',
      'x;',
      'file-name: src/orders/OrderLine.ts: name the thing, then its role',
    ],
  ])('would have caught %s', (_what, file, text, fault) =>
    expect(faultsIn(new Map([...tree, [file, text]]))).toEqual([fault]),
  );

  it('would have caught handlers with a foreign, a doubled or a lost name', () => {
    const good = { module: 'orders', name: 'orders.count-lines', event: 'orders.order-paid.v1' };
    const events = new Set(['orders.order-paid.v1']);
    expect(handlerFaults([good, { ...good, name: 'orders.mark-paid' }], events)).toEqual([]);
    expect(handlerFaults([good, good], events)).toEqual(['handler-twice: orders.count-lines']);
    expect(handlerFaults([{ ...good, name: 'stock.count-lines' }], events)).toEqual([
      'handler-name: stock.count-lines in orders is not orders.verb-noun',
    ]);
    expect(handlerFaults([{ ...good, event: 'orders.gone.v1' }], events)).toEqual([
      'handler-event: orders.count-lines takes orders.gone.v1, which no contract declares',
    ]);
  });
});
