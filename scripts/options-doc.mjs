// `node scripts/options-doc.mjs [--check]`: docs/options.md out of the doc comments of the options' own interfaces, so
// that the page can't say anything else than the code. --check only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import ts from 'typescript';

const PAGES = [
  ['KrafkaModule.forRoot', 'lib/nest/options.ts', 'KrafkaModuleOptions'],
  ['replyTopics', 'lib/nest/options.ts', 'ReplyTopicOptions'],
  ['topics[]', 'lib/nest/topics.ts', 'TopicDeclaration'],
  ['onFailure, and @OnFailure', 'lib/nest/failure-policy/failure-policy.ts', 'FailureOptions'],
  ['onFailure.retryTopics, and @RetryTopics', 'lib/nest/failure-policy/failure-policy.ts', 'RetryTopicsOptions'],
  ['@EventPattern, @MessagePattern', 'lib/nest/server/handler-options.ts', 'HandlerOptions'],
  ['@Concurrency, concurrency', 'lib/nest/server/handler-options.ts', 'ConcurrencyOptions'],
  ['@BatchPattern', 'lib/nest/server/handler-options.ts', 'BatchOptions'],
  ['new Krafka', 'lib/core/krafka.ts', 'KrafkaOptions'],
  ['transactions', 'lib/core/transactional-producers.ts', 'TransactionsOptions'],
  ['connection', 'lib/core/network/connection-options.ts', 'ConnectionOptions'],
  ['producer', 'lib/core/producer/options.ts', 'ProducerOptions'],
  ['producer.accumulator', 'lib/core/producer/options.ts', 'AccumulatorConfig'],
  ['consumer', 'lib/core/consumer/consumer-options.ts', 'ConsumerOptions'],
  ['shareConsumer', 'lib/core/share-consumer/share-consumer-options.ts', 'ShareConsumerOptions'],
  ['shareConsumer.run', 'lib/core/share-consumer/share-run.ts', 'ShareRunOptions'],
  ['admin', 'lib/core/admin/call-options.ts', 'AdminOptions'],
];
const page = 'docs/options.md';

function rowsOf(file, name) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  return rowsIn(source, file, name);
}

function rowsIn(source, file, name) {
  const found = source.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === name);
  if (found === undefined) throw new Error(`${file} has no interface ${name}`);
  const inherited = (found.heritageClauses ?? [])
    .flatMap((clause) => clause.types)
    .flatMap((type) => rowsIn(source, file, type.expression.getText()));
  const own = found.members
    .filter((member) => ts.isPropertySignature(member))
    .map((member) => {
      const said = ts
        .getJSDocCommentsAndTags(member)
        .filter((comment) => ts.isJSDoc(comment))
        .map((comment) => ts.getTextOfJSDocComment(comment.comment) ?? '')
        .join(' ')
        .replace(/\s+/g, ' ')
        .trim();
      if (said === '') throw new Error(`${file}: ${name}.${member.name.getText()} says nothing of itself`);
      const type = (member.type?.getText() ?? '').replace(/\s+/g, ' ').replace(/ \| undefined$/, '');
      const cell = (text) => text.replaceAll('|', '\\|');
      return `| \`${member.name.getText()}\`${member.questionToken ? '' : ' (required)'} | \`${cell(type)}\` | ${cell(said)} |`;
    });
  // Two parents may share a parent of their own.
  return [...new Set([...inherited, ...own])];
}

let text =
  '# Options\n\nUnknown keys are refused by name, with the nearest known one; so is what would be ignored. Durations are\nmilliseconds, sizes bytes.\n';
for (const [title, file, name] of PAGES) {
  text += `\n## ${title}\n\n\`${name}\`\n\n| option | type | |\n|---|---|---|\n${rowsOf(file, name).join('\n')}\n`;
}
const made = await format(text, { ...(await resolveConfig(page)), filepath: page });
if (process.argv.includes('--check')) {
  if (made !== readFileSync(page, 'utf8')) {
    console.error(`${page} is not what the code says: run \`npm run docs:options\``);
    process.exitCode = 1;
  }
} else {
  writeFileSync(page, made);
}
