// `npm run test:packaging`: packs the library and proves the tarball in applications as users have them: Nest 12 ESM, Nest 12
// CommonJS, Nest 11 CommonJS, each on the oldest Node that is supported and on the newest there is, and bundled by esbuild and
// webpack. What is installed for it is kept in KRAFKA_PACKAGING_CACHE (a folder of the system's temporary ones), so only the
// first run takes long. Never inside this repository: an application must not find what the repository has installed.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve as absolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const here = fileURLToPath(new URL('packaging', import.meta.url));
const cache = absolute(process.env.KRAFKA_PACKAGING_CACHE ?? join(tmpdir(), 'nestjs-krafka-packaging'));
const library = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const OLDEST_NODE = '20.19.0';
const NODE_PACKAGE = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
const BUNDLERS = { esbuild: '^0.28.0', webpack: '^5.100.0' };
/** Native modules stay beside a bundle, as ever. */
const NATIVE = Object.keys(library.dependencies);

const common = { ...library.dependencies, 'reflect-metadata': '^0.2.2', rxjs: '^7.8.2' };
const nest = (version) =>
  Object.fromEntries(['common', 'core', 'microservices', 'terminus'].map((name) => [`@nestjs/${name}`, version]));

const apps = [
  {
    name: 'Nest 12, ESM',
    type: 'module',
    dependencies: { ...common, ...nest('^12.0.0') },
    bundlers: ['esbuild', 'webpack'],
  },
  { name: 'Nest 12, CommonJS', type: 'commonjs', dependencies: { ...common, ...nest('^12.0.0') }, bundlers: [] },
  {
    name: 'Nest 11, CommonJS',
    type: 'commonjs',
    dependencies: { ...common, ...nest('^11.0.0') },
    bundlers: ['webpack'],
  },
];

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { encoding: 'utf8', timeout: 170_000, ...options });
  if (done.status !== 0) {
    throw new Error(
      `${command} ${args.join(' ')} ended with ${done.status ?? done.signal}\n${done.stdout}${done.stderr}`,
    );
  }
  return done.stdout;
}

/** A folder with these packages installed, made once for each set of them. */
function installed(dependencies) {
  const key = createHash('sha256').update(JSON.stringify(dependencies)).digest('hex').slice(0, 12);
  const folder = join(cache, key);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const made = mkdtempSync(join(cache, 'new-'));
  writeFileSync(join(made, 'package.json'), JSON.stringify({ private: true, dependencies }));
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--no-save', '--silent'], { cwd: made });
  // Only what is complete gets the name that is looked for.
  renameSync(made, folder);
  return folder;
}

/** The application's folder: its packages, the tarball, and the program. */
function make(app, tarball) {
  const folder = installed(app.dependencies);
  const own = join(folder, 'node_modules', library.name);
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own, { recursive: true });
  run('tar', ['-xzf', tarball, '-C', own, '--strip-components=1']);
  const body = readFileSync(join(here, 'proof.body.js'), 'utf8');
  const names = {
    core: '@nestjs/core',
    common: '@nestjs/common',
    microservices: '@nestjs/microservices',
    rxjs: 'rxjs',
    krafka: 'nestjs-krafka',
    health: 'nestjs-krafka/health',
    testing: 'nestjs-krafka/testing',
  };
  const load = ([name, from]) =>
    app.type === 'module' ? `import * as ${name} from '${from}';` : `const ${name} = require('${from}');`;
  const first = app.type === 'module' ? "import 'reflect-metadata';" : "require('reflect-metadata');";
  const last = `prove({ ${Object.keys(names).join(', ')} }, console.log).catch((error) => { console.error(error); process.exit(1); });`;
  const program = join(folder, app.type === 'module' ? 'main.mjs' : 'main.cjs');
  writeFileSync(program, [first, ...Object.entries(names).map(load), body, last].join('\n'));
  return { folder, program };
}

/** Nest asks for many packages that an application may not have. */
const isMissing = (folder, name) => {
  try {
    createRequire(join(folder, 'main.cjs')).resolve(name);
    return false;
  } catch (error) {
    // A package for `import` alone is there all the same.
    return error.code === 'MODULE_NOT_FOUND';
  }
};
const isPackage = (name) => !/^[./]|^node:|^[A-Z]:/.test(name);
const packageOf = (name) =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
const staysOutside = (folder, name) => isPackage(name) && (NATIVE.includes(packageOf(name)) || isMissing(folder, name));

const bundlers = {
  async esbuild({ folder, program }, tools) {
    const { build } = await import(pathToFileURL(join(tools, 'node_modules/esbuild/lib/main.js')).href);
    const out = join(folder, 'bundle.esbuild.mjs');
    await build({
      entryPoints: [program],
      outfile: out,
      bundle: true,
      platform: 'node',
      format: 'esm',
      keepNames: true,
      logLevel: 'silent',
      // CommonJS parts of a bundle ask for Node's modules.
      banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
      plugins: [
        {
          name: 'what-stays-outside',
          setup: ({ onResolve }) =>
            onResolve({ filter: /.*/ }, ({ path, kind }) =>
              kind !== 'entry-point' && staysOutside(folder, path) ? { path, external: true } : undefined,
            ),
        },
      ],
    });
    return out;
  },
  async webpack({ folder, program }, tools) {
    const webpack = createRequire(join(tools, 'package.json'))('webpack');
    const out = 'bundle.webpack.cjs';
    await new Promise((resolve, reject) =>
      webpack(
        {
          mode: 'production',
          target: 'node20',
          context: folder,
          entry: program,
          output: { path: folder, filename: out },
          optimization: { minimize: false },
          // terminus 11 loads by a name that is known at run time: webpack takes in all that lies beside it.
          module: { rules: [{ test: /\.(map|d\.ts)$/, type: 'asset/source' }] },
          externals: [
            ({ request }, done) => (staysOutside(folder, request) ? done(null, `commonjs ${request}`) : done()),
          ],
          // Nest and terminus load some packages by a name that is known at run time.
          ignoreWarnings: [/./],
        },
        (error, stats) => {
          if (error ?? stats?.hasErrors()) reject(error ?? new Error(stats.toString({ all: false, errors: true })));
          else resolve();
        },
      ),
    );
    return join(folder, out);
  },
};

const started = Date.now();
const packed = mkdtempSync(join(tmpdir(), 'krafka-pack-'));
let failed = 0;
let passed = 0;
async function step(name, work) {
  const from = Date.now();
  try {
    const said = await work();
    passed += 1;
    console.log(`ok   ${name} (${((Date.now() - from) / 1000).toFixed(1)} s)${said ? `: ${said.trim()}` : ''}`);
    return true;
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
}

try {
  run('npm', ['run', '-s', 'build'], { cwd: root });
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', packed], { cwd: root });
  const tarball = join(packed, readdirSync(packed)[0]);
  const nodes = [OLDEST_NODE, 'latest'].map((version) =>
    join(installed({ [NODE_PACKAGE]: version }), 'node_modules', NODE_PACKAGE, 'bin', 'node'),
  );
  const tools = installed(BUNDLERS);
  for (const app of apps) {
    let made;
    if (!(await step(`${app.name}: is installed`, () => void (made = make(app, tarball))))) continue;
    const prove = (name, program) =>
      Promise.all(
        nodes.map((node, index) =>
          step(`${name}, ${index === 0 ? 'oldest' : 'newest'} Node`, () => run(node, [program], { cwd: made.folder })),
        ),
      );
    await prove(app.name, made.program);
    for (const bundler of app.bundlers) {
      let bundle;
      const isMade = await step(`${app.name}: ${bundler} bundles it`, async () => {
        bundle = await bundlers[bundler](made, tools);
      });
      if (isMade) await prove(`${app.name}, bundled by ${bundler}`, bundle);
    }
  }
} finally {
  rmSync(packed, { recursive: true, force: true });
}
console.log(`packaging: ${passed} passed, ${failed} failed after ${((Date.now() - started) / 1000).toFixed(0)} s`);
process.exitCode = failed === 0 ? 0 : 1;
