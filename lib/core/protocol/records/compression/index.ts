export * from './codec.js';
export * from './codecs.js';
