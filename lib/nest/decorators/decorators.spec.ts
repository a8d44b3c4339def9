import { EventPattern as NestEventPattern, Transport } from '@nestjs/microservices';
import {
  PATTERN_EXTRAS_METADATA,
  PATTERN_HANDLER_METADATA,
  PATTERN_METADATA,
  TRANSPORT_METADATA,
} from '@nestjs/microservices/constants.js';
import { KrafkaConfigError } from '../../core/support/index.js';
import { OnFailure } from './on-failure.js';
import { EventPattern, MessagePattern, type HandlerOptions } from './patterns.js';

const EVENT = 2;
const MESSAGE = 1;

function metadataOf(type: { readonly prototype: object }, name: string) {
  const method = (type.prototype as Record<string, object>)[name] as object;
  return {
    patterns: Reflect.getMetadata(PATTERN_METADATA, method) as unknown,
    kind: Reflect.getMetadata(PATTERN_HANDLER_METADATA, method) as unknown,
    transport: Reflect.getMetadata(TRANSPORT_METADATA, method) as unknown,
    extras: Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method) as unknown,
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
      extras: {},
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
    expect(metadataOf(Orders, 'above').extras).toEqual({ onFailure: { retries: 1 } });
    expect(metadataOf(Orders, 'below').extras).toEqual({ onFailure: { retries: 2 } });
    expect(metadataOf(Orders, 'nest').extras).toEqual({ other: true, onFailure: { retries: 3 } });
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
    expect(metadataOf(Orders, 'plain').extras).toEqual({ onFailure: { retries: 1, then: 'skip' } });
    expect(metadataOf(Orders, 'own').extras).toEqual({ onFailure: { retries: 5, then: 'skip' } });
    expect(metadataOf(Orders, 'helper').extras).toBeUndefined();
  });

  it('refuses what makes no sense when it is written, not when something fails', () => {
    expect(() => OnFailure({ retries: 1.5 })).toThrow("Option '@OnFailure.retries' must be a whole number");
    expect(() => OnFailure({ then: 'retry-topics' as 'skip' })).toThrow(KrafkaConfigError);
  });
});
