import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { Krafka } from '../../core/index.js';
import {
  aDuration,
  aString,
  aWhole,
  checkOptions,
  optional,
  withDefault,
  type OptionRules,
} from '../../core/support/index.js';
import { KrafkaServer } from '../server/krafka-server.js';
import { getKrafkaToken } from '../tokens.js';
import { lookAtBrokers, type BrokersHealth } from './brokers-health.js';
import { lookAtGroups, type GroupsHealth } from './groups-health.js';

/** What a health check asks for. */
export interface KrafkaHealthOptions {
  /** How many usable connections there must be. Default 1. */
  readonly minUsable?: number | undefined;
  /** How many records a group may be behind, all partitions that this instance reads together. Default: not looked at. */
  readonly maxLag?: number | undefined;
  /**
   * How long a handler may take on one record or batch before the check fails for it, in milliseconds. Default: it never does;
   * those that their consumer calls stuck, by its own `stuckAfterMs`, are shown.
   */
  readonly stuckAfterMs?: number | undefined;
  /** How long a client that has no connection open may take to open one, in milliseconds. Default 1,000. */
  readonly timeoutMs?: number | undefined;
  /** Which client's cluster: that of `KrafkaModule.forFeature({ name })`, or without a name that of `forRoot()`. */
  readonly name?: string | undefined;
}

/** What a check of readiness asks for. */
export type KrafkaReadinessOptions = KrafkaHealthOptions;

/** What a check of liveness asks for. */
export type KrafkaLivenessOptions = Pick<KrafkaHealthOptions, 'name' | 'stuckAfterMs'>;

interface Settings {
  readonly minUsable: number;
  readonly timeoutMs: number;
  readonly maxLag: number | undefined;
  readonly stuckAfterMs: number | undefined;
  readonly name: string | undefined;
}

const RULES: OptionRules<Settings> = {
  minUsable: withDefault(aWhole('connections', 0), 1),
  timeoutMs: withDefault(aDuration(1), 1_000),
  maxLag: optional(aWhole('records', 0)),
  stuckAfterMs: optional(aDuration(1)),
  name: optional(aString),
};

interface Look {
  readonly brokers: BrokersHealth | undefined;
  readonly groups: GroupsHealth;
}

/**
 * Kafka's health for @nestjs/terminus: usable connections per broker and the state of consumer groups.
 *
 * ```ts
 * this.health.check([() => this.krafka.isHealthy('kafka')]);
 * ```
 *
 * Each check always answers, with `down` when something fails: it never throws.
 */
@Injectable()
export class KrafkaHealthIndicator {
  readonly #indicators: HealthIndicatorService;
  readonly #modules: ModuleRef;

  constructor(
    @Inject(HealthIndicatorService) indicators: HealthIndicatorService,
    @Inject(ModuleRef) modules: ModuleRef,
  ) {
    this.#indicators = indicators;
    this.#modules = modules;
  }

  /** Up while there are `minUsable` connections and every group can go on, within `maxLag` and `stuckAfterMs` where they are asked for. */
  isHealthy<const Key extends string>(key: Key, options?: KrafkaHealthOptions): Promise<HealthIndicatorResult<Key>> {
    return this.#check(key, options, async (settings) => {
      const brokers = await lookAtBrokers(this.#krafka(settings.name), settings.timeoutMs);
      return { brokers, groups: this.#groups(settings) };
    });
  }

  /**
   * Up unless a group can't go on, or a handler is stuck where `stuckAfterMs` is asked for: a restart of the process helps there. A
   * consumer that is started again by itself, and brokers that are away, are none of its business.
   */
  isLive<const Key extends string>(key: Key, options?: KrafkaLivenessOptions): Promise<HealthIndicatorResult<Key>> {
    return this.#check(key, options, (settings) =>
      Promise.resolve({ brokers: undefined, groups: aliveAtLeast(this.#groups(settings)) }),
    );
  }

  /** Up when healthy and every group of a connected server has its partitions. */
  isReady<const Key extends string>(key: Key, options?: KrafkaReadinessOptions): Promise<HealthIndicatorResult<Key>> {
    return this.#check(key, options, async (settings) => {
      const brokers = await lookAtBrokers(this.#krafka(settings.name), settings.timeoutMs);
      const groups = this.#groups(settings);
      return { brokers, groups: { ...groups, problem: groups.problem ?? groups.notReady } };
    });
  }

  async #check<const Key extends string>(
    key: Key,
    options: KrafkaHealthOptions | undefined,
    look: (settings: Settings) => Promise<Look>,
  ): Promise<HealthIndicatorResult<Key>> {
    const session = this.#indicators.check(key);
    try {
      const settings = checkOptions<Settings>(options, RULES, '');
      const { brokers, groups } = await look(settings);
      const facts = { ...brokers?.facts, groups: groups.facts };
      const problem = groups.problem ?? brokersProblem(brokers, settings);
      return problem === undefined ? session.up(facts) : session.down({ ...facts, message: problem });
    } catch (error) {
      return session.down(error instanceof Error ? error.message : String(error));
    }
  }

  #krafka(name: string | undefined): Krafka {
    return this.#modules.get<Krafka>(getKrafkaToken(name), { strict: false });
  }

  #groups(settings: Settings): GroupsHealth {
    // The one server is that of forRoot(): a named client has no groups.
    const hasServer = settings.name === undefined;
    return lookAtGroups(hasServer ? this.#modules.get(KrafkaServer, { strict: false }) : undefined, settings);
  }
}

const aliveAtLeast = (groups: GroupsHealth): GroupsHealth => ({ ...groups, problem: groups.dead });

function brokersProblem(brokers: BrokersHealth | undefined, { minUsable }: Settings): string | undefined {
  if (brokers === undefined || brokers.facts.usable >= minUsable) return undefined;
  if (brokers.facts.usable === 0) return brokers.problem ?? 'no broker is connected';
  return `${brokers.facts.usable} usable connections are less than the ${minUsable} asked for`;
}
