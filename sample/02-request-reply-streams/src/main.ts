import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload, RpcException } from '@nestjs/microservices';
import { KrafkaClient, KrafkaModule, KrafkaRecordBuilder, KrafkaServer, MessagePattern } from 'nestjs-krafka';
import { EmbeddedBroker } from 'nestjs-krafka/testing';
import { firstValueFrom, interval, lastValueFrom, map, NEVER, take, toArray, type Observable } from 'rxjs';

interface Range {
  readonly from: number;
  readonly to: number;
}

@Controller()
class NumbersController {
  /** Every value of the Observable is a reply; its end ends the caller's. */
  @MessagePattern('numbers.ticks')
  ticks(@Payload() count: string): Observable<{ readonly tick: number }> {
    return interval(20).pipe(
      take(Number(count)),
      map((tick) => ({ tick })),
    );
  }

  /** An async generator is asked for the next value only when there is room for it: a long answer fills no memory. */
  @MessagePattern('numbers.range')
  async *range(@Payload() { from: first, to }: Range): AsyncIterable<number> {
    if (to < first) throw new RpcException({ code: 'EMPTY_RANGE', from: first, to });
    for (let n = first; n < to; n++) yield n;
  }

  @MessagePattern('numbers.never')
  never(): Observable<never> {
    return NEVER;
  }
}

const problem = (answer: Observable<unknown>): Promise<unknown> =>
  firstValueFrom(answer).then(
    () => 'answered',
    (error: unknown) => error,
  );

async function main(): Promise<void> {
  const given = process.env['KAFKA_BROKERS'];
  const broker = given ? undefined : await EmbeddedBroker.start();

  @Module({
    imports: [
      KrafkaModule.forRoot({
        brokers: given || (broker as EmbeddedBroker).bootstrap,
        consumer: { groupId: 'numbers' },
        topics: [{ name: 'numbers.ticks' }, { name: 'numbers.range' }, { name: 'numbers.never' }],
        shutdownTimeoutMs: 500,
      }),
    ],
    controllers: [NumbersController],
  })
  class AppModule {}
  const app = await NestFactory.createMicroservice(AppModule, { ...KrafkaServer.fromModule(), logger: ['error'] });
  await app.listen();
  const client = app.get(KrafkaClient);

  console.log('ticks:', JSON.stringify(await lastValueFrom(client.send('numbers.ticks', 3).pipe(toArray()))));
  const range = await lastValueFrom(client.send<string>('numbers.range', { from: 0, to: 5_000 }).pipe(toArray()));
  console.log(
    'range:',
    range.length,
    'replies in order:',
    range.every((n, index) => Number(n) === index),
  );
  console.log('error:', JSON.stringify(await problem(client.send('numbers.range', { from: 2, to: 1 }))));

  const impatient = new KrafkaRecordBuilder('?').setTimeout(200).build();
  console.log('deadline:', ((await problem(client.send('numbers.never', impatient))) as Error).name);
  const leaving = new AbortController();
  const asked = problem(client.send('numbers.never', new KrafkaRecordBuilder('?').setSignal(leaving.signal).build()));
  leaving.abort(new Error('the user has left'));
  console.log('aborted:', ((await asked) as Error).message);
  console.log('still waiting:', client.replyStats().pending);
  await app.close();
  await broker?.close();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
