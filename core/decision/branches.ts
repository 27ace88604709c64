/**
 * Branches of `then`: of several things a rule may do, the first that fits is done. They are tried from the top, as the
 * branches of every journey builder are; what needs more than this is a journey, which lives in a vendor's tool.
 */
import type { Rule } from '../../schemas/rule.ts'
import type { Branch } from '../../schemas/rule-gates.ts'
import { clause } from './clauses.ts'
import { type Clause, type Compiled, compileConditions, type RuleView } from './compile.ts'

export interface CompiledBranch {
  readonly branch: Branch
  readonly who: Compiled
}

export const compileBranches = ({ then }: Pick<Rule, 'then'>): CompiledBranch[] =>
  (then.branches ?? []).map((branch, index) => ({
    branch,
    who: compileConditions(branch.who, `then.branches.${index}.who`),
  }))

type Branched = { readonly branches: readonly CompiledBranch[] }

/** Some branch is for waits that this entry of `unless` ended. */
export const answersTo = ({ branches }: Branched, ending: string): boolean =>
  branches.some(({ branch }) => branch.on === ending)

export interface Taken {
  /** Undefined: none fits, and nothing is done. */
  readonly branch: Branch | undefined
  /** Which one and why; of none what each would have needed. */
  readonly clauses: readonly Clause[]
}

/**
 * @param endedBy the entry of `unless` that ended the wait; undefined: nothing did, or there was none
 * @returns undefined when the rule has no branches
 */
export function takenBranch({ branches }: Branched, endedBy: string | undefined, view: RuleView): Taken | undefined {
  if (branches.length === 0) return undefined
  const needed: Clause[] = []
  for (const [index, { branch, who }] of branches.entries()) {
    if (branch.on !== endedBy) continue
    const found = who.explain(view)
    if (who.holds(found)) return { branch, clauses: [branchClause(index, branch.id), ...found] }
    needed.push(...who.broken(found))
  }
  return { branch: undefined, clauses: [noneClause, ...needed] }
}

export const branchClause = (index: number, id: string) =>
  clause(
    `then.branches.${index}`,
    `branch "${id}" is the first that fits`,
    `o ramo "${id}" é o primeiro que serve`,
    true,
    id,
  )

export const noneClause = clause('then.branches', 'one of the branches fits', 'algum dos ramos serve', false, null)
