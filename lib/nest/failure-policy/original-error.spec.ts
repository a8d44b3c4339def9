import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { BaseRpcExceptionFilter, RpcException } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { originalError, rememberOriginalErrors } from './original-error.js';

const outcomeOf = (thrown: RpcException, context: object): Promise<unknown> => {
  const answer = new BaseRpcExceptionFilter().catch(thrown, new ExecutionContextHost([{}, context]));
  return lastValueFrom(answer).catch((outcome: unknown) => outcome);
};

describe("What Nest's last filter turned into other words", () => {
  it('is known by the context of the call, and the words stay the same', async () => {
    rememberOriginalErrors();
    const context = {};
    const error = new RpcException({ status: 422 });
    const outcome = await outcomeOf(error, context);
    expect(outcome).toEqual({ status: 422 });
    expect(originalError(context, outcome)).toBe(error);
  });

  it('is known even when nothing was thrown', async () => {
    rememberOriginalErrors();
    const context = {};
    await outcomeOf(new RpcException('no'), context);
    expect(originalError(context, 'outcome')).toBeInstanceOf(RpcException);
  });

  it('is what came out where no filter of Nest saw it', () => {
    expect(originalError({}, 'outcome')).toBe('outcome');
  });

  it('is remembered once, however often that is asked for', () => {
    rememberOriginalErrors();
    const patched = Object.getOwnPropertyDescriptor(BaseRpcExceptionFilter.prototype, 'catch')?.value as unknown;
    rememberOriginalErrors();
    expect(Object.getOwnPropertyDescriptor(BaseRpcExceptionFilter.prototype, 'catch')?.value).toBe(patched);
  });
});
