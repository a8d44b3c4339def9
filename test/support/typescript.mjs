// Lets a child process of a test import this repository's sources: node --import ./test/support/typescript.mjs file.ts
import { register } from 'node:module';

register('./typescript-hooks.mjs', import.meta.url);
