// What the blocks of the documents take from around them: their readers know it, or a block before has made it.
import type { Type } from '@nestjs/common';
import type { Consumer, Krafka, ProducerRecord } from 'nestjs-krafka/core';

export interface Order {
  readonly sku: string;
}

export interface Quote {
  readonly total: number;
}

export declare const AppModule: Type;
export declare const brokers: string[];
export declare const krafka: Krafka;
export declare const consumer: Consumer;
export declare const topic: string;
export declare const partition: number;
export declare const offset: number;
export declare const records: ProducerRecord[];
export declare function send(mail: unknown): Promise<void>;
export declare function isMail(value: unknown): boolean;
export declare function isReady(value: unknown, signal: AbortSignal): Promise<boolean>;
export declare function handle(value: unknown): Promise<void>;
