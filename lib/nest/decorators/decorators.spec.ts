import { EventPattern as NestEventPattern, Transport } from '@nestjs/microservices';
import {
  PATTERN_EXTRAS_METADATA,
  PATTERN_HANDLER_METADATA,
  PATTERN_METADATA,
  TRANSPORT_METADATA,
} from '@nestjs/microservices/constants.js';
import { KrafkaConfigError } from '../../core/support/index.js';
import { OnFailure, RetryTopics } from './on-failure.js';
import type { HandlerOptions } from '../server/handler-options.js';
import { CommitMode, ConsumerGroup } from './handling.js';
import { EventPattern, MessagePattern } from './patterns.js';

const EVENT = 2;
const MESSAGE = 1;

function metadataOf(type: { readonly prototype: object }, name: string) {
  const method = (type.prototype as Record<string, object>)[name] as object;
  const said = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method) as Record<string, unknown> | undefined;
  const { saidPatterns: _, ...extras } = said ?? {};
  return {
    patterns: Reflect.getMetadata(PATTERN_METADATA, method) as unknown,
    kind: Reflect.getMetadata(PATTERN_HANDLER_METADATA, method) as unknown,
    transport: Reflect.getMetadata(TRANSPORT_METADATA, method) as unknown,
    extras: said && extras,
  };
}

function declareTwice(): unknown {
  class Orders {
    @EventPattern('b')
    @MessagePattern('a')
    both(): void {}
  }
  return Orders;
}

describe('The pattern decorators', () => {
  it('set what Nest reads', () => {
    class Orders {
      @EventPattern('orders.placed')
      placed(): void {}

      @MessagePattern(['a', 'b'], Transport.KAFKA)
      price(): void {}

      @EventPattern(/orders\..*/, { onFailure: { retries: 1 } })
      any(): void {}
    }
    expect(metadataOf(Orders, 'placed')).toEqual({
      patterns: ['orders.placed'],
      kind: EVENT,
      transport: undefined,
      extras: { handlerName: 'Orders.placed' },
    });
    expect(metadataOf(Orders, 'price')).toMatchObject({
      patterns: ['a', 'b'],
      kind: MESSAGE,
      transport: Transport.KAFKA,
    });
    expect(metadataOf(Orders, 'any')).toMatchObject({
      patterns: [/orders\..*/],
      extras: { onFailure: { retries: 1 } },
    });
  });

  it('stand beside typed parameters', () => {
    class Orders {
      @EventPattern('orders.placed')
      placed(order: { readonly id: number }, context: Map<string, string>): number {
        return order.id + context.size;
      }
    }
    expect(metadataOf(Orders, 'placed').patterns).toEqual(['orders.placed']);
  });

  it('refuse a second pattern on one method, by name', () => {
    expect(declareTwice).toThrow(KrafkaConfigError);
    expect(declareTwice).toThrow(/@EventPattern\(b\).*Orders\.both.*'a'/);
  });

  it('refuse patterns that name no topic, unless they are for another transport', () => {
    expect(() => EventPattern({ cmd: 'x' } as unknown as string)).toThrow('pattern {"cmd":"x"}');
    expect(() => EventPattern('a b')).toThrow('legal topic name');
    expect(() => EventPattern([])).toThrow('needs a topic');
    expect(() => EventPattern({ cmd: 'x' } as unknown as string, Transport.TCP)).not.toThrow();
  });

  it('refuse options they do not know', () => {
    expect(() => EventPattern('a', { onFailur: {} } as HandlerOptions)).toThrow(
      "Option '@EventPattern(a).onFailur' is not known; did you mean 'onFailure'?",
    );
  });
});

describe('@OnFailure', () => {
  it("works in any order beside this package's decorators and Nest's", () => {
    class Orders {
      @OnFailure({ retries: 1 })
      @EventPattern('a')
      above(): void {}

      @EventPattern('b')
      @OnFailure({ retries: 2 })
      below(): void {}

      @OnFailure({ retries: 3 })
      // Without it Nest's types refuse the second argument.
      // oxlint-disable-next-line typescript/no-unnecessary-type-arguments
      @NestEventPattern<string>('c', { other: true })
      nest(): void {}
    }
    expect(metadataOf(Orders, 'above').extras).toMatchObject({ onFailure: { retries: 1 } });
    expect(metadataOf(Orders, 'below').extras).toMatchObject({ onFailure: { retries: 2 } });
    expect(metadataOf(Orders, 'nest').extras).toMatchObject({ other: true, onFailure: { retries: 3 } });
  });

  it("on a class holds for its handlers, a method's own words before it", () => {
    @OnFailure({ retries: 1, then: 'skip' })
    class Orders {
      @EventPattern('a')
      plain(): void {}

      @EventPattern('b')
      @OnFailure({ retries: 5 })
      own(): void {}

      helper(): void {}
    }
    expect(metadataOf(Orders, 'plain').extras).toEqual({
      handlerName: 'Orders.plain',
      onFailure: { retries: 1, then: 'skip' },
    });
    expect(metadataOf(Orders, 'own').extras).toMatchObject({ onFailure: { retries: 5, then: 'skip' } });
    expect(metadataOf(Orders, 'helper').extras).toBeUndefined();
  });

  it('may stand beside others that say other parts of the same, whichever is nearer', () => {
    @OnFailure({ retries: 1, then: 'skip' })
    @CommitMode('manual')
    class Orders {
      @RetryTopics({ delaysMs: [5] })
      @OnFailure({ retries: 0 })
      @EventPattern('a')
      own(): void {}

      @EventPattern('b')
      @ConsumerGroup('search', { fromBeginning: true })
      @CommitMode('auto')
      plain(): void {}
    }

    @RetryTopics()
    class Payments {
      @EventPattern('a')
      @OnFailure({ then: 'stop' })
      own(): void {}
    }
    expect(metadataOf(Orders, 'own').extras).toEqual({
      handlerName: 'Orders.own',
      commitMode: 'manual',
      onFailure: { retries: 0, then: 'retry-topics', retryTopics: { delaysMs: [5] } },
    });
    expect(metadataOf(Orders, 'plain').extras).toMatchObject({
      commitMode: 'auto',
      consumerGroup: { groupId: 'search', options: { fromBeginning: true } },
      onFailure: { retries: 1, then: 'skip' },
    });
    expect(metadataOf(Payments, 'own').extras).toEqual({ handlerName: 'Payments.own', onFailure: { then: 'stop' } });
  });

  it('refuses to hear the same twice of one method', () => {
    const twice = (): unknown => {
      class Orders {
        @OnFailure({ retries: 1 })
        @EventPattern('a', { onFailure: { retries: 2 } })
        placed(): void {}
      }
      return Orders;
    };
    expect(twice).toThrow("Option '@OnFailure' says of Orders.placed what is said already: 'onFailure'");
    const contradiction = (): unknown => {
      class Orders {
        @EventPattern('a')
        @RetryTopics()
        @OnFailure({ then: 'skip' })
        placed(): void {}
      }
      return Orders;
    };
    expect(contradiction).toThrow("'@RetryTopics' says of Orders.placed what is said already");
  });

  it('refuses what makes no sense when it is written, not when something fails', () => {
    expect(() => OnFailure({ retries: 1.5 })).toThrow("Option '@OnFailure.retries' must be a whole number");
    expect(() => OnFailure({ then: 'retry' as 'skip' })).toThrow(KrafkaConfigError);
  });
});
