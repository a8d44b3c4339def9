import { Inject, type InjectionToken } from '@nestjs/common';
import { KrafkaClient } from './client/krafka-client.js';
import { Krafka } from '../core/index.js';

const ROOT = 'default';

/** The injection token of a client: that of `KrafkaModule.forFeature({ name })`, or without a name that of `forRoot()`. */
export const getKrafkaClientToken = (name: string = ROOT): InjectionToken<KrafkaClient> =>
  name === ROOT ? KrafkaClient : `KRAFKA_CLIENT_${name}`;

/** The injection token of a core `Krafka`: that of `KrafkaModule.forFeature({ name })`, or without a name that of `forRoot()`. */
export const getKrafkaToken = (name: string = ROOT): InjectionToken<Krafka> =>
  name === ROOT ? Krafka : `KRAFKA_${name}`;

/** Injects the client of `KrafkaModule.forFeature({ name })`, or without a name that of `forRoot()`. */
export const InjectKrafkaClient = (name?: string): PropertyDecorator & ParameterDecorator =>
  Inject(getKrafkaClientToken(name));
