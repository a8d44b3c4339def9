// What the blocks of the documents take from around them: their readers know it, or a block before has made it.
import type { INestApplicationContext, Type } from '@nestjs/common';
import type { KrafkaClient, SchemaCodec } from 'nestjs-krafka';
import type { Consumer, Krafka, Producer, ProducerRecord } from 'nestjs-krafka/core';
import type { EmbeddedBroker } from 'nestjs-krafka/testing';

export interface Order {
  readonly sku: string;
}

export interface Quote {
  readonly total: number;
}

/** Of @nestjs/config. */
export declare class ConfigService {
  get(key: string): unknown;
  getOrThrow(key: string): string;
}

export declare const AppModule: Type;
export declare const app: INestApplicationContext;
export declare const broker: EmbeddedBroker;
export declare const brokers: string[];
export declare const krafka: Krafka;
export declare const krafkaClient: KrafkaClient;
export declare const producer: Producer;
export declare const consumer: Consumer;
export declare const topic: string;
export declare const partition: number;
export declare const offset: number;
export declare const records: ProducerRecord[];
export declare function send(mail: unknown): Promise<void>;
export declare function isMail(value: unknown): boolean;
export declare function isReady(value: unknown, signal: AbortSignal): Promise<boolean>;
export declare function handle(value: unknown): Promise<void>;
export declare const schemas: {
  latest(subject: string): Promise<{ id: number; codec: SchemaCodec }>;
  byId(id: number): Promise<SchemaCodec | undefined>;
};
