/**
 * Every place where personal data can lie: what it holds, under which key, and which clock ends it. The table of
 * docs/retention.md is this list; a test seeds each, lets the clock run out and searches.
 */
export interface Place {
  /** A table of the state, or another place. */
  readonly place: string
  readonly tables: readonly string[]
  readonly holds: { readonly pt: string; readonly en: string }
  readonly key: { readonly pt: string; readonly en: string }
  readonly clock: { readonly pt: string; readonly en: string }
}

const NODE = { pt: 'chave de dados do nó', en: "the node's data key" }
const OPEN = { pt: 'aberto, sem contato nem texto livre', en: 'open: no contact data, no free text' }
const PSEUDONYMS = { pt: 'aberto, só pseudônimos', en: 'open: pseudonyms only' }
const policy = (id: string, pt: string, en: string) => ({ pt: `política ${id} (${pt})`, en: `policy ${id} (${en})` })

export const PLACES: readonly Place[] = [
  {
    place: 'log',
    tables: [],
    holds: { pt: 'eventos recebidos e ainda não processados', en: 'events received and not processed yet' },
    key: { pt: 'uma chave por cinco minutos', en: 'one key per five minutes' },
    clock: {
      pt: 'minutos: a chave é destruída quando o processamento passa',
      en: 'minutes: the key is destroyed once processing has passed',
    },
  },
  {
    place: 'fences',
    tables: [],
    holds: {
      pt: 'revogações a caminho: HMAC de identificadores',
      en: 'withdrawals on their way: HMACs of identifiers',
    },
    key: { pt: 'HMAC com a chave de índice', en: 'HMAC under the index key' },
    clock: { pt: 'até o processamento confirmar', en: 'until processing has committed' },
  },
  {
    place: 'history',
    tables: ['history', 'history_inputs'],
    holds: {
      pt: 'eventos mantidos, com os campos que as finalidades pedem',
      en: 'kept events, with the fields the purposes ask for',
    },
    key: NODE,
    clock: {
      pt: 'políticas history/*/occurred (13 meses) e history/*/ended (30 dias)',
      en: 'policies history/*/occurred (13 months) and history/*/ended (30 days)',
    },
  },
  {
    place: 'profile',
    tables: ['persons', 'wakeups'],
    holds: {
      pt: 'contadores, carrinho, características abertas, prazos, públicos e pontuações; sobre contatá-los: fuso, mensagens abertas e clicadas, devoluções, reclamações, chamados abertos',
      en: 'counters, cart, open traits, timers, audiences and scores; about writing to them: zone, messages opened and clicked, bounces, complaints, open tickets',
    },
    key: OPEN,
    clock: {
      pt: 'políticas profile/*/ended, profile/*/last_seen e unidentified/*/last_seen',
      en: 'policies profile/*/ended, profile/*/last_seen and unidentified/*/last_seen',
    },
  },
  {
    place: 'node_traits',
    tables: ['node_traits'],
    holds: { pt: 'características que identificam ou descrevem', en: 'traits that identify or describe' },
    key: NODE,
    clock: { pt: 'as do perfil', en: 'those of the profile' },
  },
  {
    place: 'identifiers',
    tables: ['identifiers', 'nodes', 'edges', 'merge_log', 'identity_acts', 'blocked_values'],
    holds: {
      pt: 'e-mail, telefone, CPF, ids; e quais são da mesma pessoa',
      en: 'e-mail, phone, CPF, ids; and which are one person',
    },
    key: { pt: 'busca por HMAC; o valor, sob a chave do nó', en: "found by HMAC; the value under the node's key" },
    clock: {
      pt: 'valor: quando nenhuma finalidade o pede (profile/*/ended); HMAC: com o perfil',
      en: 'value: when no purpose asks for it (profile/*/ended); HMAC: with the profile',
    },
  },
  {
    place: 'consent_status',
    tables: ['consent_status'],
    holds: { pt: 'a situação de cada finalidade', en: 'how each purpose stands' },
    key: PSEUDONYMS,
    clock: { pt: 'com o perfil; uma oposição fica', en: 'with the profile; an opposition stays' },
  },
  {
    place: 'ledger',
    tables: [
      'ledger_pending',
      'ledger_payloads',
      'ledger_entries',
      'ledger_head',
      'ledger_tiles',
      'ledger_subjects',
      'ledger_state',
      'ledger_checkpoints',
      'ledger_anchors',
      'ledger_keys',
      'ledger_deliveries',
      'ledger_shredded',
    ],
    holds: { pt: 'provas de consentimento', en: 'proofs of consent' },
    key: {
      pt: 'chave de prova do nó; a árvore só tem compromissos com sal',
      en: "the node's proof key; the tree holds salted commitments only",
    },
    clock: {
      pt: 'política consent_proof/*/erased: 5 anos depois da eliminação',
      en: 'policy consent_proof/*/erased: 5 years after the data were erased',
    },
  },
  {
    place: 'facts',
    tables: ['facts', 'echoes'],
    holds: {
      pt: 'pedidos contados uma vez: hash do pedido e valores',
      en: 'orders counted once: hash of the order and amounts',
    },
    key: PSEUDONYMS,
    clock: {
      pt: 'política facts/*/occurred (13 meses); ecos, 7 dias',
      en: 'policy facts/*/occurred (13 months); echoes, 7 days',
    },
  },
  {
    place: 'held',
    tables: ['held', 'held_identifiers'],
    holds: { pt: 'eventos à espera de uma resposta', en: 'events waiting for an answer' },
    key: { pt: 'uma chave por hora', en: 'one key per hour' },
    clock: { pt: '24 horas', en: '24 hours' },
  },
  {
    place: 'quarantine',
    tables: ['quarantine', 'seal_keys'],
    holds: { pt: 'entradas que não puderam ser lidas', en: 'inputs that could not be taken' },
    key: { pt: 'uma chave por dia', en: 'one key per day' },
    clock: { pt: '30 dias', en: '30 days' },
  },
  {
    place: 'outbox payload',
    tables: ['deliveries'],
    holds: { pt: 'o conteúdo de cada envio', en: 'the payload of each delivery' },
    key: NODE,
    clock: {
      pt: 'entregue: na hora; recusado, para reenvio: política deliveries/*/settled (12 meses)',
      en: 'delivered: at once; refused, to be re-driven: policy deliveries/*/settled (12 months)',
    },
  },
  {
    place: 'attempts',
    tables: ['attempts', 'quotas'],
    holds: {
      pt: 'o que o fornecedor respondeu, sem dados pessoais',
      en: 'what the vendor answered, without personal data',
    },
    key: PSEUDONYMS,
    clock: { pt: 'com a entrega', en: 'with the delivery' },
  },
  {
    place: 'explanations',
    tables: ['explanations', 'explanations_latest', 'caps'],
    holds: { pt: 'cláusulas e valores de cada decisão', en: 'clauses and values of each decision' },
    key: OPEN,
    clock: policy('decisions/*/decided', '24 meses', '24 months'),
  },
  {
    place: 'audiences',
    tables: ['audience_stays', 'audience_pushes', 'audience_passes'],
    holds: {
      pt: 'quem está ou esteve em cada público, por quê, e o que cada destino soube',
      en: 'who is or was in each audience, why, and what each destination was told',
    },
    key: OPEN,
    clock: policy('audiences/*/exit', '30 dias depois da saída', '30 days after leaving'),
  },
  {
    place: 'withdrawals',
    tables: ['withdrawals', 'propagations'],
    holds: { pt: 'revogações e até onde chegaram', en: 'withdrawals and how far they got' },
    key: PSEUDONYMS,
    clock: policy('decisions/*/decided', '24 meses', '24 months'),
  },
  {
    place: 'requests',
    tables: ['requests', 'request_identifiers', 'request_marks', 'request_log', 'request_recipients', 'request_files'],
    holds: { pt: 'pedidos de titulares, respostas e arquivos', en: 'data-subject requests, answers and files' },
    key: { pt: 'uma chave por pedido; busca por HMAC', en: 'one key per request; found by HMAC' },
    clock: policy('requests/*/answered', '5 anos', '5 years'),
  },
  {
    place: 'suppressions',
    tables: ['suppressions'],
    holds: {
      pt: 'quem foi eliminado e não volta por um reenvio',
      en: 'who was erased and must not come back by a replay',
    },
    key: { pt: 'HMAC com a chave de índice', en: 'HMAC under the index key' },
    clock: { pt: 'fica, até um novo consentimento verificado', en: 'stays, until a new verified grant' },
  },
  {
    place: 'portal',
    tables: ['portal_codes', 'portal_sessions'],
    holds: { pt: 'códigos e sessões do portal', en: 'codes and sessions of the portal' },
    key: { pt: 'uma chave por sessão', en: 'one key per session' },
    clock: { pt: 'minutos', en: 'minutes' },
  },
  {
    place: 'blocked',
    tables: ['blocked'],
    holds: { pt: 'eventos bloqueados (art. 5º, XIII)', en: 'blocked events (art. 5 XIII)' },
    key: NODE,
    clock: policy('blocked/*/blocked', '5 anos', '5 years'),
  },
  {
    place: 'access log',
    tables: ['access_log'],
    holds: { pt: 'quem olhou quem, e por quê', en: 'who looked at whom, and why' },
    key: PSEUDONYMS,
    clock: policy('access_log/*/occurred', '6 meses, Marco Civil art. 15', '6 months, Marco Civil art. 15'),
  },
  {
    place: 'incident register',
    tables: ['incidents', 'incident_log'],
    holds: { pt: 'incidentes e prazos', en: 'incidents and deadlines' },
    key: OPEN,
    clock: policy('incidents/*/registered', '5 anos', '5 years'),
  },
  {
    place: 'retention records',
    tables: ['retention_plans', 'retention_approvals', 'retention_runs', 'legal_holds'],
    holds: { pt: 'contagens, amostras por pseudônimo, ordens', en: 'counts, samples by pseudonym, orders' },
    key: PSEUDONYMS,
    clock: {
      pt: 'planos não aprovados: 31 dias; execuções e ordens ficam como prova',
      en: 'plans nobody approved: 31 days; runs and holds stay as evidence',
    },
  },
  {
    place: 'rollups',
    tables: ['rollups', 'consent_gaps', 'anonymous_counts', 'plan_violations'],
    holds: {
      pt: 'contagens por minuto, sem pessoas; contagens anonimizadas',
      en: 'counts per minute, no people; anonymised counts',
    },
    key: { pt: 'não é dado pessoal', en: 'not personal data' },
    clock: { pt: '400 dias; as anonimizadas ficam', en: '400 days; the anonymised ones stay' },
  },
  {
    place: 'deduplication',
    tables: [],
    holds: { pt: 'hash de fonte e id da mensagem', en: 'hash of source and message id' },
    key: { pt: 'HMAC', en: 'HMAC' },
    clock: { pt: '72 horas', en: '72 hours' },
  },
  {
    place: 'users',
    tables: ['users', 'sessions', 'api_tokens', 'invitations'],
    holds: { pt: 'quem usa o hub', en: 'who uses the hub' },
    key: { pt: 'senhas e chaves só como hash', en: 'passwords and tokens as hashes only' },
    clock: {
      pt: 'sessões 12 horas, convites 7 dias; usuários até a administração',
      en: 'sessions 12 hours, invitations 7 days; users until the administrator acts',
    },
  },
  {
    place: 'rule recipients',
    tables: ['rule_rollouts'],
    holds: {
      pt: 'destinatários de teste das regras, que a equipe indicou',
      en: 'test recipients of rules, named by the team',
    },
    key: { pt: 'HMAC com a chave de índice', en: 'HMAC under the index key' },
    clock: { pt: 'fica com a versão da regra', en: 'stays with the version of the rule' },
  },
  {
    place: 'budgets',
    tables: ['budget_uses'],
    holds: { pt: 'quais entregas gastaram o orçamento de uma regra', en: "which deliveries used a rule's budget" },
    key: PSEUDONYMS,
    clock: { pt: '40 dias', en: '40 days' },
  },
  {
    place: 'credentials',
    tables: ['secret_keys', 'secrets', 'oauth_connections', 'oauth_flows'],
    holds: { pt: 'credenciais da empresa; nenhum titular', en: "the company's credentials; no data subject" },
    key: { pt: 'uma chave embrulhada pela chave mestra', en: 'a key wrapped by the master key' },
    clock: { pt: 'até serem apagadas; fluxos de conexão, minutos', en: 'until deleted; connection flows, minutes' },
  },
  {
    place: 'configuration',
    tables: [
      'meta',
      'positions',
      'rule_versions',
      'rule_rollout_log',
      'rule_switches',
      'rule_files',
      'rule_slots',
      'rule_budgets',
      'offer_codes',
      'notices',
      'destination_roles',
      'ropa_snapshots',
      'policy_versions',
      'measure_definitions',
      'audience_lists',
      'plan_versions',
      'polls',
      'drift',
    ],
    holds: { pt: 'nenhuma pessoa', en: 'nobody' },
    key: { pt: 'não é dado pessoal', en: 'not personal data' },
    clock: { pt: 'fica', en: 'stays' },
  },
  {
    place: 'watched folders',
    tables: [],
    holds: {
      pt: 'arquivos que outro sistema grava, depois de lidos (done/) ou recusados (failed/)',
      en: 'files another system writes, once taken (done/) or refused (failed/)',
    },
    key: { pt: 'o da pasta', en: "the folder's" },
    clock: {
      pt: 'de quem grava; com `after: delete` o arquivo lido é apagado na hora',
      en: 'of whoever writes them; with `after: delete` a file is deleted once taken',
    },
  },
  {
    place: 'exports',
    tables: [],
    holds: {
      pt: 'pacotes de auditoria e respostas a titulares, na pasta de quem pediu',
      en: 'audit packs and answers to data subjects, in the folder of whoever asked',
    },
    key: { pt: 'da pasta', en: "the folder's" },
    clock: {
      pt: 'de quem pediu: o LEIA-ME do pacote diz isso',
      en: 'of whoever asked: the LEIA-ME of the pack says so',
    },
  },
  {
    place: 'backups',
    tables: [],
    holds: { pt: 'cópia da base e das chaves embrulhadas', en: 'a copy of the database and of the wrapped keys' },
    key: { pt: 'chave mestra, guardada à parte', en: 'the master key, kept apart' },
    clock: {
      pt: 'a janela dos backups limita a eliminação: só quando o último sai',
      en: 'the window of the backups bounds erasure: only when the last one goes',
    },
  },
]
