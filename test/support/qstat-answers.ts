/** What qstat of Grid Engine 8.1.9 printed as XML, shortened where a comment says so. */

/** `-j 1`: a job of alice's whose name, account, variables, arguments and context hold markup. */
export const hostileJob = `<?xml version='1.0'?>
<detailed_job_info  xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/detailed_job_info.xsd">
  <djob_info>
    <element>
      <JB_job_number>1</JB_job_number>
      <JB_ar>0</JB_ar>
      <JB_exec_file>job_scripts/1</JB_exec_file>
      <JB_submission_time>1795176283</JB_submission_time>
      <JB_owner>alice</JB_owner>
      <JB_uid>2001</JB_uid>
      <JB_group>alice</JB_group>
      <JB_gid>2001</JB_gid>
      <JB_account>acc%lt;t&gt;</JB_account>
      <JB_merge_stderr>false</JB_merge_stderr>
      <JB_mail_list>
        <element>
          <MR_user>alice</MR_user>
          <MR_host>node1</MR_host>
        </element>
      </JB_mail_list>
      <JB_notify>false</JB_notify>
      <JB_job_name>a%lt;b&gt;&amp;c</JB_job_name>
      <JB_jobshare>0</JB_jobshare>
      <JB_env_list>
        <job_sublist>
          <VA_variable>TERM</VA_variable>
        </job_sublist>
        <job_sublist>
          <VA_variable>EVIL</VA_variable>
          <VA_value>a]]&gt;%lt;/VA_value&gt;
%lt;JB_owner&gt;root%lt;/JB_owner&gt;</VA_value>
        </job_sublist>
      </JB_env_list>
      <JB_job_args>
        <element>
          <ST_name>arg%lt;1&gt;</ST_name>
        </element>
        <element>
          <ST_name>two
lines%lt;/ST_name&gt;</ST_name>
        </element>
      </JB_job_args>
      <JB_script_file>j.sh</JB_script_file>
      <JB_ja_tasks>
        <ulong_sublist>
          <JAT_status>128</JAT_status>
          <JAT_task_number>1</JAT_task_number>
          <JAT_task_list>
            <element>
              <PET_id>past_usage</PET_id>
              <PET_status>0</PET_status>
            </element>
          </JAT_task_list>
          <JAT_start_time>1795176283</JAT_start_time>
          <JAT_ntix>0.500000</JAT_ntix>
        </ulong_sublist>
      </JB_ja_tasks>
      <JB_context>
        <context_list>
          <VA_variable>x</VA_variable>
          <VA_value>%lt;JB_uid&gt;0%lt;/JB_uid&gt;</VA_value>
        </context_list>
      </JB_context>
      <JB_cwd>/home/alice/g</JB_cwd>
    </element>
  </djob_info>
  <messages>
    <element>
      <SME_global_message_list>
        <element>
          <MES_message_number>90</MES_message_number>
          <MES_message>There are no messages available</MES_message>
        </element>
      </SME_global_message_list>
    </element>
  </messages>
</detailed_job_info>
`;

/** `-j 1` with other facts; what is not looked at is left out. */
export function jobDetails(facts: {
  readonly id?: string;
  readonly owner?: string;
  readonly tasks?: readonly (readonly [number: string, status: string])[];
  readonly requests?: Readonly<Record<string, string>>;
}): string {
  const { id = '1', owner = 'alice', tasks = [['1', '128']], requests = {} } = facts;
  const requested = Object.entries(requests).map(
    ([name, value]) =>
      `<qstat_l_requests><CE_name>${name}</CE_name><CE_valtype>4</CE_valtype><CE_stringval>2G</CE_stringval><CE_doubleval>${value}</CE_doubleval></qstat_l_requests>`,
  );
  const started = tasks.map(
    ([number, status]) =>
      `<ulong_sublist><JAT_status>${status}</JAT_status><JAT_task_number>${number}</JAT_task_number></ulong_sublist>`,
  );
  return `<?xml version='1.0'?>
<detailed_job_info  xmlns:xsd="http://arc.liv.ac.uk/x.xsd">
  <djob_info>
    <element>
      <JB_job_number>${id}</JB_job_number>
      <JB_owner>${owner}</JB_owner>
      ${requested.length === 0 ? '' : `<JB_hard_resource_list>${requested.join('')}</JB_hard_resource_list>`}
      ${tasks.length === 0 ? '' : `<JB_ja_tasks>${started.join('')}</JB_ja_tasks>`}
    </element>
  </djob_info>
  <messages><element /></messages>
</detailed_job_info>
`;
}

/** `-j 99`, ended with status 0. */
export const unknownJob = (id: string): string => `<?xml version='1.0'?>
<unknown_jobs >
    <ST_name>${id}</ST_name>
</unknown_jobs>
`;

/** `-g t -s rs -u alice`, a line for each of these. */
export function taskShares(...lines: readonly Readonly<Record<string, string>>[]): string {
  const lists = lines.map(({ id = '1', owner = 'alice', state = 'r', queue = 'all.q@node1', name = 'j.sh', tasks }) => {
    const task = tasks === undefined ? '' : `\n      <tasks>${tasks}</tasks>`;
    return `    <job_list state="running">
      <JB_job_number>${id}</JB_job_number>
      <JAT_prio>0.50000</JAT_prio>
      <JB_name>${name}</JB_name>
      <JB_owner>${owner}</JB_owner>
      <state>${state}</state>
      <JAT_start_time>2026-11-20T12:04:43</JAT_start_time>
      <queue_name>${queue}</queue_name>
      <master>SLAVE</master>
      <slots>1</slots>${task}
    </job_list>
`;
  });
  return `<?xml version='1.0'?>
<job_info  xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat/qstat.xsd">
  <queue_info>
${lists.join('')}  </queue_info>
  <job_info>
  </job_info>
</job_info>
`;
}
