/**
 * Who may import whom. Arrows point down, siblings are strangers: docs/ARCHITECTURE.md draws the picture.
 * `npm run boundaries` checks it, and every test run does.
 */
const KERNEL = ['notification', 'protocol'];
const PLATFORM = ['coalescing', 'config', 'http', 'postgres', 'redis-ha', 'telemetry', 'workers'];
const CAPABILITIES = ['ack', 'auth', 'cluster', 'connection', 'queue', 'rate-limit', 'template', 'tenant'];

/** Folder under src/ → the folders it may import besides itself, the kernel and the platform. */
const MAY_IMPORT = {
  ...Object.fromEntries([...PLATFORM, ...CAPABILITIES].map((folder) => [folder, []])),
  dispatch: ['ack', 'cluster', 'connection', 'queue'],
  rest: ['dispatch', ...CAPABILITIES],
  realtime: ['ack', 'auth', 'cluster', 'connection', 'dispatch', 'rate-limit', 'tenant'],
  'redis-trigger': ['dispatch', 'tenant'],
  'api-docs': ['rest'],
  probe: ['auth', 'connection', 'dispatch'],
  runtime: [],
  cli: [],
};

const inFolders = (folders) => `^src/(${folders.join('|')})/`;
const SPEC = '\\.spec\\.ts$';
const AT_THE_TOP = '^src/[^/]+\\.ts$';
const VERSION = '^src/version\\.ts$';
const ENTRIES = '^src/(main|cli/main)\\.ts$';

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'kernel-knows-the-kernel-only',
      comment: 'notification/ and protocol/ are plain TypeScript: no npm package, no framework, no I/O.',
      severity: 'error',
      from: { path: inFolders(KERNEL), pathNot: SPEC },
      to: { pathNot: inFolders(KERNEL) },
    },
    ...Object.entries(MAY_IMPORT).map(([folder, others]) => ({
      name: `layers-${folder}`,
      comment: `${folder}/ may import ${['itself', 'kernel', 'platform', ...others].join(', ')}.`,
      severity: 'error',
      from: { path: inFolders([folder]), pathNot: SPEC },
      to: { path: '^(src|test)/', pathNot: [inFolders([folder, ...KERNEL, ...PLATFORM, ...others]), VERSION] },
    })),
    {
      name: 'every-folder-has-a-layer',
      comment: 'A new folder under src/ gets its row in MAY_IMPORT.',
      severity: 'error',
      from: {},
      to: { path: '^src/[^/]+/', pathNot: inFolders([...KERNEL, ...Object.keys(MAY_IMPORT)]) },
    },
    {
      name: 'nobody-imports-the-root',
      comment: 'main.ts and its neighbours put the parts together; no part knows the whole.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: SPEC },
      to: { path: AT_THE_TOP, pathNot: VERSION },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'every-file-is-used',
      comment: 'What neither the service nor the CLI reaches is dead, however well it is tested.',
      severity: 'error',
      from: { path: ENTRIES },
      to: { path: '^src/', pathNot: [SPEC, ENTRIES], reachable: false },
    },
    {
      name: 'no-tests-in-the-product',
      severity: 'error',
      from: { path: '^src/', pathNot: SPEC },
      to: { path: `^test/|${SPEC}` },
    },
    {
      name: 'no-development-package-in-the-product',
      severity: 'error',
      from: { path: '^src/', pathNot: SPEC },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'everything-resolves',
      severity: 'error',
      from: { path: '^(src|test)/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    // The TypeScript compiler of this project is newer than the cruiser knows; swc reads the same syntax.
    parser: 'swc',
    doNotFollow: { path: '(^|/)node_modules/' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json', '.node', '.cjs', '.mjs'],
      exportsFields: ['exports'],
      conditionNames: ['require', 'node', 'default', 'types'],
    },
  },
};
