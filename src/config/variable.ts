import { Transform } from 'class-transformer';
import {
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  Max,
  Min,
  MinLength,
  ValidateBy,
  ValidateIf,
} from 'class-validator';

/** What a declaration says beside the type and the default of its property. */
export interface VariableOptions {
  /** Never shown, and may come from a mounted file: `<NAME>_FILE`. */
  readonly secret?: boolean;
  /** Further names; the variable's own name wins over them within one source. */
  readonly aliases?: readonly string[];
  /** The aliases win instead. */
  readonly aliasWins?: boolean;
  /** What happens when nothing is set, where the default is not a fixed value. */
  readonly unset?: string;
  /** The way out of a mistake, where "correct it" is not enough. */
  readonly remedy?: string;
}

export interface Section {
  readonly title: string;
  readonly about: string;
}

export interface Variable extends VariableOptions {
  readonly name: string;
  readonly doc: string;
  /** In words, as mistakes and documents show it. */
  readonly rule: string;
  readonly section: Section;
}

interface Range {
  readonly min: number;
  readonly max: number;
  /** The range counts only while this flag is on. */
  readonly when?: string;
}

interface Check {
  readonly rule: string;
  readonly check?: (value: string) => boolean;
}

const FLAGS: ReadonlyMap<string, boolean> = new Map([
  ...['true', '1', 'on', 'yes'].map((word) => [word, true] as const),
  ...['false', '0', 'off', 'no'].map((word) => [word, false] as const),
]);
const declarations = new WeakMap<object, Omit<Variable, 'section'>[]>();
const sections = new WeakMap<object, Map<string, Section>>();

/** The declared variables of an environment class, in the order of declaration. */
export function variablesOf(environment: { readonly prototype: object }): readonly Variable[] {
  const starts = sections.get(environment.prototype);
  let section: Section = { title: '', about: '' };
  return (declarations.get(environment.prototype) ?? []).map((declaration) => {
    section = starts?.get(declaration.name) ?? section;
    return { ...declaration, section };
  });
}

/** All names of a variable; of those set in one source the first counts. */
export function namesOf({ name, aliases = [], aliasWins = false }: Variable): string[] {
  return aliasWins ? [...aliases, name] : [name, ...aliases];
}

/** Begins a section of the documents with the property that it stands on. */
export function Section(title: string, about: string): PropertyDecorator {
  return (prototype, key) => {
    const known = sections.get(prototype) ?? new Map<string, Section>();
    sections.set(prototype, known.set(String(key), { title, about }));
  };
}

export function Flag(doc: string, options: VariableOptions = {}): PropertyDecorator {
  const parse = (raw: string) => FLAGS.get(raw.trim().toLowerCase());
  return declare({ doc, rule: 'true or false (also 1/0, on/off, yes/no)', ...options }, parse, IsBoolean());
}

export function Integer(doc: string, { min, max, when, ...options }: Range & VariableOptions): PropertyDecorator {
  const parse = (raw: string) => (/^[-+]?\d+$/.test(raw.trim()) ? Number(raw) : undefined);
  const rule = range('an integer', { min, max }, when);
  return declare({ doc, rule, ...options }, parse, IsInt(), Min(min), Max(max), ...appliesWhen(when));
}

export function Decimal(doc: string, { min, max, when, ...options }: Range & VariableOptions): PropertyDecorator {
  const parse = (raw: string) => (/^[-+]?(\d+\.?\d*|\.\d+)$/.test(raw.trim()) ? Number(raw) : undefined);
  const rule = range('a number', { min, max }, when);
  return declare({ doc, rule, ...options }, parse, IsNumber(), Min(min), Max(max), ...appliesWhen(when));
}

/** One of some words, in any case. */
export function Choice(doc: string, words: readonly string[], options: VariableOptions = {}): PropertyDecorator {
  const parse = (raw: string) => words.find((word) => word.toLowerCase() === raw.trim().toLowerCase());
  return declare({ doc, rule: `one of ${words.join(', ')}`, ...options }, parse, IsIn(words));
}

export function Text(doc: string, { rule, check, ...options }: Check & VariableOptions): PropertyDecorator {
  return declare({ doc, rule, ...options }, (raw) => raw.trim(), passes(check, false));
}

/** Text that is taken as it is: blanks at its ends belong to it. */
export function Secret(doc: string, options: Check & VariableOptions & { minLength?: number }): PropertyDecorator {
  const { rule, check, minLength = 1, ...rest } = options;
  return declare({ doc, rule, secret: true, ...rest }, (raw) => raw, MinLength(minLength), passes(check, false));
}

/** Texts separated by commas. */
export function List(doc: string, { rule, check, ...options }: Check & VariableOptions): PropertyDecorator {
  const parse = (raw: string) =>
    raw
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  return declare({ doc, rule, ...options }, parse, IsArray(), passes(check, true));
}

type Declaration = Omit<Variable, 'section' | 'name'>;

function declare(
  declaration: Declaration,
  parse: (raw: string) => unknown,
  ...rules: PropertyDecorator[]
): PropertyDecorator {
  return (prototype, key) => {
    // What cannot be parsed stays text, and fails the rule of its type.
    Transform(({ value }: { value: string }) => parse(value) ?? value)(prototype, key);
    for (const rule of [IsOptional(), ...rules]) rule(prototype, key);
    const known = declarations.get(prototype) ?? [];
    declarations.set(prototype, [...known, { name: String(key), ...declaration }]);
  };
}

function passes(check: (value: string) => boolean = () => true, each: boolean): PropertyDecorator {
  return ValidateBy({ name: 'check', validator: { validate: (value) => check(String(value)) } }, { each });
}

function appliesWhen(flag: string | undefined): PropertyDecorator[] {
  if (flag === undefined) return [];
  return [
    ValidateIf((environment: Record<string, unknown>, value) => environment[flag] === true || isNaN(Number(value))),
  ];
}

function range(kind: string, { min, max }: Range, when: string | undefined): string {
  return `${kind} from ${min} to ${max}${when === undefined ? '' : ` when ${when} is on`}`;
}
