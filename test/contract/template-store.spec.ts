import { MemoryTemplateStore } from '../../src/template/memory-template.store';
import { describeTemplateStore } from './template-store.suite';

describeTemplateStore('memory', () => new MemoryTemplateStore());
