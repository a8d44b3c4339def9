const USAGE = `usage: npm run bench -- <work> [line ...] [--rounds N] [--quick] [--clients a,b] [--profile] [--no-build]
       npm run bench -- report
  line        measure these lines only; the others keep what an earlier run found
  --rounds    how often each client is measured, interleaved (default 2)
  --quick     a tenth of the records: to see that it works, not what it reaches
  --clients   measure these clients only
  --profile   record a CPU profile of krafka's processes, and print where their time went
  --no-build  measure what is in dist/ already`;

/** Reads the command line of a run; throws an error that ends with the usage. */
export function readArguments(words, works) {
  const given = {
    work: undefined,
    lines: [],
    rounds: 2,
    quick: false,
    profile: false,
    build: true,
    clients: undefined,
  };
  const rest = [...words];
  while (rest.length > 0) {
    const word = rest.shift();
    if (word === '--quick') given.quick = true;
    else if (word === '--profile') given.profile = true;
    else if (word === '--no-build') given.build = false;
    else if (word === '--clients') given.clients = rest.shift()?.split(',');
    else if (word === '--rounds') given.rounds = Number(rest.shift());
    else if (word.startsWith('--')) throw new Error(`no such switch: ${word}\n${USAGE}`);
    else if (given.work === undefined) given.work = word;
    else given.lines.push(word);
  }
  if (!Number.isInteger(given.rounds) || given.rounds < 1) throw new Error(`--rounds takes a whole number\n${USAGE}`);
  if (given.work !== 'report' && !works.includes(given.work)) {
    throw new Error(`${USAGE}\n  work        ${works.join(' | ')}`);
  }
  return given;
}
