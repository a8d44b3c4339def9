import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const here = `${root}test/integration/package/docs/`;

/** Where a word of a block is taken from that the block neither imports nor declares: the first that has it. */
const AROUND = [
  'nestjs-krafka',
  'nestjs-krafka/core',
  'nestjs-krafka/testing',
  './given.js',
  '@nestjs/common',
  '@nestjs/core',
  '@nestjs/microservices',
  'rxjs',
];

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
};

interface Block {
  /** The document and the line where it begins. */
  readonly place: string;
  readonly file: string;
  readonly text: string;
}

const documents = ['README.md', 'docs', 'docs/design']
  .flatMap((place) => (place.endsWith('.md') ? place : readdirSync(root + place).map((name) => `${place}/${name}`)))
  .filter((name) => name.endsWith('.md'));

const blocks: readonly Block[] = documents.flatMap((document) => {
  const text = readFileSync(root + document, 'utf8');
  return Array.from(text.matchAll(/^```ts\n(.*?)^```/gms), (match) => {
    const line = text.slice(0, match.index).split('\n').length + 1;
    const name = document.replaceAll(/\W/g, '-');
    return { place: `${document}:${line}`, file: `${here}${name}-${line}.ts`, text: match[1] as string };
  });
});

/** A program of files that are nowhere but here, beside those of the disk. */
function programOf(files: ReadonlyMap<string, string>): ts.Program {
  const disk = ts.createCompilerHost(OPTIONS);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (name) => files.has(name) || disk.fileExists(name),
    readFile: (name) => files.get(name) ?? disk.readFile(name),
    getSourceFile: (name, options) => {
      const text = files.get(name);
      return text === undefined ? disk.getSourceFile(name, options) : ts.createSourceFile(name, text, options);
    },
  };
  return ts.createProgram([...files.keys()], OPTIONS, host);
}

/** What each of the modules around a block exports. */
function exportsAround(): ReadonlyMap<string, ReadonlySet<string>> {
  const file = `${here}around.ts`;
  const program = programOf(new Map([[file, AROUND.map((name) => `import '${name}';`).join('\n')]]));
  const checker = program.getTypeChecker();
  const exported = new Map<string, ReadonlySet<string>>();
  for (const statement of program.getSourceFile(file)?.statements ?? []) {
    const { moduleSpecifier } = statement as ts.ImportDeclaration;
    const symbol = checker.getSymbolAtLocation(moduleSpecifier);
    const names = symbol === undefined ? [] : checker.getExportsOfModule(symbol).map(({ name }) => name);
    exported.set((moduleSpecifier as ts.StringLiteral).text, new Set(names));
  }
  return exported;
}

/** The words that a block uses, and those among them that it makes itself, at its top. */
function wordsOf(text: string): { readonly used: ReadonlySet<string>; readonly own: ReadonlySet<string> } {
  const source = ts.createSourceFile('block.ts', text, ts.ScriptTarget.ES2022, true);
  const used = new Set<string>();
  const own = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) used.add(node.text);
    const declares =
      (ts.isVariableDeclaration(node) && node.parent.parent.parent === source) ||
      (ts.isBindingElement(node) && isAtTop(node, source)) ||
      (ts.isClassDeclaration(node) && node.parent === source) ||
      ts.isImportSpecifier(node);
    if (declares && node.name !== undefined && ts.isIdentifier(node.name)) own.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { used, own };
}

const isAtTop = (node: ts.BindingElement, source: ts.SourceFile): boolean => {
  const declaration = node.parent.parent;
  return ts.isVariableDeclaration(declaration) && declaration.parent.parent.parent === source;
};

/** A block as a module: with imports of what it takes from around it, all in a line that comes before its first. */
function moduleOf(text: string, around: ReadonlyMap<string, ReadonlySet<string>>): string {
  const { used, own } = wordsOf(text);
  const taken = new Map<string, string[]>();
  for (const word of used) {
    if (own.has(word)) continue;
    const from = AROUND.find((name) => around.get(name)?.has(word));
    if (from !== undefined) taken.set(from, [...(taken.get(from) ?? []), word]);
  }
  const imports = Array.from(taken, ([from, names]) => `import { ${names.join(', ')} } from '${from}';`);
  return `export {}; ${imports.join(' ')}\n${text}`;
}

describe('The documents', () => {
  it('have blocks that compile against the built package, as strict as TypeScript can be', () => {
    const around = exportsAround();
    const files = new Map(blocks.map(({ file, text }) => [file, moduleOf(text, around)]));
    const program = programOf(files);
    const problems = blocks.flatMap(({ place, file }) => {
      const source = program.getSourceFile(file);
      const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
      return found.map(({ start, messageText }) => {
        const line = source?.getLineAndCharacterOfPosition(start ?? 0).line ?? 0;
        return `${place} +${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
      });
    });
    expect(problems).toEqual([]);
    expect(blocks.length).toBeGreaterThan(10);
  });
});
