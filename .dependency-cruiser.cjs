// The floors of docs/DESIGN.md: an upper one imports lower ones only, and another room only through its door.
const floors = [
  'support',
  'protocol',
  'network',
  'cluster',
  'coordination',
  'producer|consumer',
  'share-consumer',
  'admin',
];
const core = (room) => `^lib/core/(${room})/`;

const upwards = floors.map((room, index) => ({
  name: `no-floor-above-${room.replace('|', '-')}`,
  comment: `lib/core/${room} may use the floors below it only`,
  severity: 'error',
  from: { path: core(room) },
  to: {
    path: [...floors.slice(index + 1).map(core), '^lib/core/[^/]+\\.ts$', '^lib/(nest|testing)/', '^lib/index\\.ts$'],
  },
}));

module.exports = {
  forbidden: [
    ...upwards,
    {
      name: 'producer-knows-no-consumer',
      severity: 'error',
      from: { path: core('producer') },
      to: { path: core('consumer') },
    },
    {
      name: 'consumer-knows-no-producer',
      severity: 'error',
      from: { path: core('consumer|share-consumer') },
      to: { path: core('producer') },
    },
    {
      name: 'through-the-door',
      comment: "another room's files are its own: import its index.ts",
      severity: 'error',
      from: { path: '^lib/core/([^/]+)/' },
      to: { path: '^lib/core/[^/]+/.+', pathNot: ['^lib/core/$1/', '^lib/core/[^/]+/index\\.ts$'] },
    },
    {
      name: 'core-door-for-the-nest-floor',
      severity: 'error',
      from: { path: '^lib/(nest/|index\\.ts)' },
      to: { path: '^lib/core/.+', pathNot: ['^lib/core/(index\\.ts|[^/]+/index\\.ts)$'] },
    },
    {
      name: 'core-knows-no-nest',
      severity: 'error',
      from: { path: '^lib/core/' },
      to: { path: ['^lib/nest/', '^lib/testing/', 'node_modules/(@nestjs|rxjs|reflect-metadata)/'] },
    },
    {
      name: 'the-embedded-broker-speaks-protocol-only',
      severity: 'error',
      from: {
        path: '^lib/testing/',
        pathNot: ['\\.spec\\.ts$', 'krafka-testing\\.module\\.ts$', '^lib/testing/index\\.ts$'],
      },
      to: { path: '^lib/(nest|core)/', pathNot: ['^lib/core/(protocol|support)/index\\.ts$'] },
    },
    {
      name: 'terminus-behind-its-door',
      comment: 'the root entry loads no optional peer',
      severity: 'error',
      from: { pathNot: '^lib/nest/health/' },
      to: { path: 'node_modules/@nestjs/terminus' },
    },
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: ['\\.d\\.ts$', '\\.spec\\.ts$', 'index\\.ts$'] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.spec\\.ts$|/spec-support/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
