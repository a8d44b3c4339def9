import { KafkaRetriableException, RpcException } from '@nestjs/microservices';
import { KrafkaSerializationError } from '../../core/support/index.js';
import { tried } from './describe-error.js';
import type { FailurePolicy } from './failure-policy.js';
import { validationProblemsOf } from './validation-errors.js';

/** Client errors of HTTP that time may heal: timeouts, too early, too many. */
const HEALING = new Set([408, 425, 429]);

/** What Nest's guards answer with when they refuse. */
const REFUSED_BY_A_GUARD = 'Forbidden resource';

/**
 * Whether calling the handler again with the same record may end otherwise. Refused payloads (validation, serialization, any
 * error with a status of 400 to 499) and refused callers stay refused; a `KafkaRetriableException` asks for it; all else may.
 * What the policy names comes before all that.
 */
export function isWorthRetrying(error: unknown, policy?: Pick<FailurePolicy, 'alwaysRetry' | 'neverRetry'>): boolean {
  if (policy?.alwaysRetry.some((kind) => error instanceof kind) === true) return true;
  if (policy?.neverRetry.some((kind) => error instanceof kind) === true) return false;
  if (error instanceof KafkaRetriableException) return true;
  if (error instanceof KrafkaSerializationError) return false;
  const status = tried(() => statusOf(error));
  if (status !== undefined) return status < 400 || status > 499 || HEALING.has(status);
  return !isRefusal(error) && tried(() => validationProblemsOf(error)) === undefined;
}

function statusOf(error: unknown): number | undefined {
  const details = error instanceof RpcException ? error.getError() : error;
  if (typeof details !== 'object' || details === null) return undefined;
  const { status, statusCode, getStatus } = details as Record<string, unknown>;
  if (typeof getStatus === 'function') return numberOf((details as { getStatus(): unknown }).getStatus());
  return numberOf(status) ?? numberOf(statusCode);
}

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

const isRefusal = (error: unknown): boolean => error instanceof RpcException && error.getError() === REFUSED_BY_A_GUARD;
