export * from './malformed.js';
export * from './reader.js';
export * from './writer.js';
