// Which way imports may go (design.md, section 2). No module is named here: a new folder below src/ is guarded the day it
// appears. Every rule has a planted fault in boundaries.unit.spec.ts; a rule without one fails that spec.
const MODULE = '^src/(?!contracts/|platform/)([^/]+)/';
const SPEC = '\\.spec\\.ts$';
const TOOL = '^src/cli[a-z0-9-]*\\.ts$';
// A file without a role suffix (`candle.ts`). Faces only re-export.
const PURE = { path: '^src/.+/[^./]+\\.ts$', pathNot: ['^src/(contracts|platform)/', '/index\\.ts$'] };
const LIBRARY = 'node_modules/';
const BUILT_IN = '^(node:)?[a-z_/]+$';
const rule = (name, from, to) => ({ name, severity: 'error', from, to });

module.exports = {
  forbidden: [
    rule('no-module-to-module', { path: MODULE }, { path: MODULE, pathNot: '^src/$1/' }),
    // Of the files that stand in src/ itself, only that one knows the modules. The tools (cli.ts and cli-*.ts) are no
    // application: they start servers (`.server.ts`) that need neither Nest nor a database, or call what a module has
    // for them alone (`.tool.ts`).
    rule(
      'only-app-module-composes',
      { path: '^src/[^/]+\\.ts$', pathNot: ['^src/app\\.module\\.ts$', TOOL, SPEC] },
      { path: MODULE },
    ),
    rule('tools-start-servers-only', { path: TOOL }, { path: MODULE, pathNot: '\\.(server|tool)\\.ts$' }),
    rule('tools-alone-call-tools', { pathNot: [TOOL, SPEC] }, { path: '\\.tool\\.ts$' }),
    rule(
      'compose-through-the-face',
      { path: '^src/app\\.module\\.ts$' },
      { path: MODULE, pathNot: '^src/[^/]+/index\\.ts$' },
    ),
    rule('platform-knows-no-module', { path: '^src/platform/' }, { path: MODULE }),
    rule('modules-know-no-composition', { path: '^src/[^/]+/' }, { path: '^src/[^/]+\\.ts$' }),
    rule(
      'platform-through-the-face',
      { path: MODULE },
      { path: '^src/(platform/[^/]+|contracts)/', pathNot: '/index\\.ts$' },
    ),
    rule(
      'platform-parts-through-the-face',
      { path: '^src/platform/([^/]+)/' },
      { path: '^src/(platform/[^/]+|contracts)/', pathNot: ['/index\\.ts$', '^src/platform/$1/'] },
    ),
    // tracing.ts runs before anything else may be loaded: the face of config would bring class-validator with it.
    rule(
      'composition-through-the-face',
      { path: '^src/[^/]+\\.ts$', pathNot: SPEC },
      {
        path: '^src/(platform/[^/]+|contracts)/',
        pathNot: ['/index\\.ts$', '^src/platform/config/tracing-environment\\.ts$'],
      },
    ),
    // Specs beside the contracts use vitest and fast-check.
    rule('contracts-are-a-leaf', { path: '^src/contracts/', pathNot: SPEC }, { pathNot: '^src/contracts/' }),
    // Types cost nothing at run time: a pure file may name the row type a store declares.
    // Indicators are pure themselves.
    rule('pure-files-stay-pure', PURE, {
      path: [LIBRARY, BUILT_IN, '^src/platform/(?!indicators/index\\.ts$)', '^src/.+/[^./]+\\.[a-z]+\\.ts$'],
      // The event contracts are data, whatever their suffix; csv-parse makes cells of a text, and nothing else.
      pathNot: ['^src/contracts/', 'node_modules/csv-parse/'],
      dependencyTypesNot: ['type-only'],
    }),
    rule(
      'sql-lives-in-stores',
      { path: MODULE, pathNot: ['\\.(store|entity|module)\\.ts$', SPEC] },
      { path: 'node_modules/(typeorm|pg|@nestjs/typeorm)/', dependencyTypesNot: ['type-only'] },
    ),
    rule(
      'entities-stay-in-the-store',
      { pathNot: ['\\.(store|entity|module)\\.ts$', SPEC] },
      { path: '\\.entity\\.ts$' },
    ),
    rule(
      'emitter-only-in-the-bus',
      { pathNot: '^src/platform/bus/' },
      { path: 'node_modules/(@nestjs/event-emitter|eventemitter2)/' },
    ),
    rule('no-cycles', {}, { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } }),
    rule('no-unresolvable', {}, { couldNotResolve: true }),
    // A spec beside the code may lean on test/support; what ships may not.
    rule('src-never-imports-test', { path: '^src/', pathNot: SPEC }, { path: ['^test/', SPEC] }),
    // The schema has one reader; nothing else outside src/ is imported.
    rule(
      'src-stays-in-src',
      { path: '^src/', pathNot: ['^src/platform/database/', SPEC] },
      { pathNot: ['^src/', LIBRARY, '^test/'], dependencyTypesNot: ['core'] },
    ),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    // Before compilation type-only imports are still there.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.json'],
    },
  },
};
