import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';

/** class-validator's `ValidationError`, as far as it is read here. */
interface ValidationErrorLike {
  readonly property: string;
  readonly constraints?: Readonly<Record<string, string>> | undefined;
  readonly children?: readonly ValidationErrorLike[] | undefined;
}

/** What is told of one refused payload: the rest is as good as the first. */
const MAX_PROBLEMS = 20;

/**
 * What is wrong with a payload, as texts, when the error says that a `ValidationPipe` refused it: by its own exception, by an
 * `RpcException` of class-validator's errors, or by these errors themselves, as an `exceptionFactory` makes them. Never
 * the values at fault, which may be anybody's.
 */
export function validationProblemsOf(error: unknown): readonly string[] | undefined {
  if (error instanceof HttpException) {
    const { message } = Object(error.getResponse()) as { readonly message?: unknown };
    return isListOf(message, isText) ? message.slice(0, MAX_PROBLEMS) : undefined;
  }
  const details = error instanceof RpcException ? error.getError() : error;
  if (!isListOf(details, isValidationError)) return undefined;
  const problems: string[] = [];
  collect(details, '', problems);
  return problems;
}

function collect(errors: readonly ValidationErrorLike[], path: string, problems: string[]): void {
  for (const { property, constraints, children } of errors) {
    if (problems.length >= MAX_PROBLEMS) return;
    for (const problem of Object.values(constraints ?? {})) problems.push(`${path}${problem}`);
    // Children that are objects again, as deep as the class of the payload says.
    if (isListOf(children, isValidationError)) collect(children, `${path}${property}.`, problems);
  }
}

const isText = (value: unknown): value is string => typeof value === 'string';

// By its shape: applications bring a copy of class-validator of their own.
function isValidationError(value: unknown): value is ValidationErrorLike {
  if (typeof value !== 'object' || value === null) return false;
  const { property, constraints, children } = value as Record<string, unknown>;
  return isText(property) && ((typeof constraints === 'object' && constraints !== null) || Array.isArray(children));
}

const isListOf = <Item>(value: unknown, isItem: (item: unknown) => item is Item): value is readonly Item[] =>
  Array.isArray(value) && value.length > 0 && value.every(isItem);
