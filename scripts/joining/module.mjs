import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/**
 * One compiled module: what it imports, what it exports, and its text without either.
 *
 * Only what our own compiler writes is understood; anything else is an error, never a guess.
 */
export class Module {
  /** Where it is in the folder that is joined, e.g. `./core/krafka.js`. */
  path;
  /** The joined file it is in, once it is. */
  file;
  /** What it is called there. */
  name;
  /** Its text with imports and exports blanked out: every line and column stays where it was. */
  body;
  /** `{ from, names: [[exported, local]] }`, or `{ from, namespace: local }`, in order. */
  imports = [];
  /** Own exports: the exported name to the local one. */
  exports = new Map();
  /** Names that are exported from elsewhere: to `{ from, name }`, or `{ from }` for a namespace. */
  reexports = new Map();
  /** Modules of which everything is exported. */
  stars = [];

  constructor(folder, path) {
    this.path = path;
    this.name = `$${path.slice(2, -'.js'.length).replaceAll(/[^a-zA-Z0-9]+/g, '_')}`;
    const text = readFileSync(join(folder, path), 'utf8').replace(/\/\/# sourceMappingURL=.*$/m, '');
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
    const blanks = source.statements.flatMap((statement) => this.#read(statement));
    refuseLazy(source);
    this.body = blanked(text, blanks).trimEnd();
  }

  /** Every module that has to be there before this one. */
  get needs() {
    return [
      ...this.imports.map(({ from }) => from),
      ...[...this.reexports.values()].map(({ from }) => from),
      ...this.stars,
    ];
  }

  /** What of the statement does not stay: pairs of start and end. */
  #read(statement) {
    const whole = [[statement.getStart(), statement.getEnd()]];
    if (ts.isImportDeclaration(statement)) {
      this.#readImport(statement);
      return whole;
    }
    if (ts.isExportDeclaration(statement)) {
      this.#readExport(statement);
      return whole;
    }
    if (ts.isExportAssignment(statement)) throw new Error(`${this.path}: a default export is not understood`);
    const keyword = statement.modifiers?.find(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    if (keyword === undefined) return [];
    for (const name of namesOf(statement)) this.exports.set(name, name);
    return [[keyword.getStart(), keyword.getEnd()]];
  }

  #readImport({ importClause, moduleSpecifier }) {
    const from = this.#from(moduleSpecifier);
    if (importClause === undefined) throw new Error(`${this.path}: an import for its effect is not understood`);
    const names = importClause.name === undefined ? [] : [['default', importClause.name.text]];
    const bindings = importClause.namedBindings;
    if (bindings !== undefined && ts.isNamespaceImport(bindings)) {
      this.imports.push({ from, namespace: bindings.name.text });
    } else {
      for (const { propertyName, name } of bindings?.elements ?? [])
        names.push([(propertyName ?? name).text, name.text]);
    }
    if (names.length > 0) this.imports.push({ from, names });
  }

  #readExport({ exportClause, moduleSpecifier }) {
    const from = moduleSpecifier && this.#from(moduleSpecifier);
    if (exportClause === undefined) this.stars.push(from);
    else if (ts.isNamespaceExport(exportClause)) this.reexports.set(exportClause.name.text, { from });
    else {
      for (const { propertyName, name } of exportClause.elements) {
        const inner = (propertyName ?? name).text;
        if (from === undefined) this.exports.set(name.text, inner);
        else this.reexports.set(name.text, { from, name: inner });
      }
    }
  }

  /** Own modules by their path, which then begins with './'; others as they are written. */
  #from({ text }) {
    return text.startsWith('.') ? `./${join(dirname(this.path), text)}` : text;
  }
}

/** Whether what is imported is one of the modules that are joined: all else is a package, or Node's own. */
export const isOwn = (from) => from.startsWith('./');

// Loading a joined file later would load all of it: whoever wants that has to think of a file of its own.
function refuseLazy(source) {
  const visit = (node) => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [from] = node.arguments;
      if (!ts.isStringLiteral(from) || from.text.startsWith('.')) {
        throw new Error(`${source.fileName}: import(${from.getText()}) is not understood`);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}

function namesOf(statement) {
  if (!ts.isVariableStatement(statement)) return [statement.name.text];
  // What imports it would keep the value that it has at first.
  if (!(statement.declarationList.flags & ts.NodeFlags.Const)) throw new Error(`not a const: ${statement.getText()}`);
  return statement.declarationList.declarations.map(({ name }) => {
    if (!ts.isIdentifier(name)) throw new Error(`an export is taken apart: ${name.getText()}`);
    return name.text;
  });
}

function blanked(text, spans) {
  let done = '';
  let at = 0;
  for (const [start, end] of spans) {
    done += text.slice(at, start) + text.slice(start, end).replaceAll(/[^\n]/g, ' ');
    at = end;
  }
  return done + text.slice(at);
}
