import { Logger, type LoggerService } from '@nestjs/common';
import { NestLogger } from './nest-logger.js';

describe("The core's logger on Nest's", () => {
  it("speaks in Nest's levels, with the facts behind the words", () => {
    const lines: string[] = [];
    const keep =
      (level: string) =>
      (message: unknown, ...rest: unknown[]) =>
        void lines.push(`${level} [${String(rest.at(-1))}] ${String(message)}`);
    const target = Object.fromEntries(['log', 'error', 'warn', 'debug'].map((level) => [level, keep(level)]));
    Logger.overrideLogger(target as unknown as LoggerService);
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const logger = new NestLogger();
    logger.info('a topic was created', { topic: 'orders', partitions: 6 });
    logger.error('it failed', { error: new TypeError('no') });
    logger.warn('plain');
    logger.debug('odd', { circle, list: ['a'] });
    Logger.overrideLogger(false);
    expect(lines).toEqual([
      'log [Krafka] a topic was created (topic=orders, partitions=6)',
      'error [Krafka] it failed (error=TypeError: no)',
      'warn [Krafka] plain',
      'debug [Krafka] odd (circle=[object Object], list=["a"])',
    ]);
  });
});
