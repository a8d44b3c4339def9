export * from './all-apis.js';
export * from './api-keys.js';
export * from './apis/index.js';
export * from './error-codes.js';
export * from './frame.js';
export * from './records/index.js';
export * from './schema/index.js';
export * from './wire/index.js';
