//! Jobs, their leases, and what they wait for.

use super::info::codes;

codes! {
    job_not_found(404) "There is no such job" {
        "No job has this id, or the caller may not see the project it belongs to."
        next "List what there is with `dogwatch jobs list`."
    }
    run_not_found(404) "There is no such run" {
        "No run has this id, or the caller may not see the project it belongs to."
        next "List what there is with `dogwatch runs list`."
    }
    not_found(404) "There is no such thing" {
        "Nothing has this id or this short id."
        next "List what there is with `dogwatch jobs list` or `dogwatch runs list`."
    }
    ambiguous_id(400) "The short id is not unique" {
        "Several jobs or runs have ids that begin or end like this."
        next "Give more of the id; the message names the candidates."
    }
    no_run "There is no run yet" {
        "The job has not been started, or nothing was ever run here."
        next "`dogwatch jobs show` says what the job waits for."
    }
    no_result "There is no result yet" {
        "No run of the job is over, so nothing came of it yet."
        next "Wait for it with `dogwatch wait`."
    }
    nothing_held "This machine holds nothing" {
        "No job was named, and this machine holds no lease that could be meant."
        next "Name the job; `dogwatch jobs list` shows what there is."
    }
    job_exists(409) "The job exists already" {
        "A job with this id was submitted before."
        next "Look at it with `dogwatch jobs show`; submit with a new id if another was meant."
    }
    wrong_state(409) "The state of the job does not allow it" {
        "The command does not apply to a job in this state. Nothing was changed."
        next "Look at where the job stands with `dogwatch jobs show`."
    }
    wrong_run(409) "The run is not the one under way" {
        "A report came for a run that is not the job's present one. Nothing was changed."
        next "Look at the runs of the job with `dogwatch jobs show`; a runner must drop what it holds."
    }
    not_yet(409) "The job may not start yet" {
        "The job is scheduled for later, or waits before its next attempt."
        next "Wait until the instant that the message names."
    }
    lease_lost(409) "The lease is lost" {
        "The lease of the run ended and the job was given on, or is about to be. What this holder still writes changes nothing."
        next "Nothing: the job is queued again, or its next holder is at work. A runner ends the run's processes and writes nothing more for it."
    }
    lease_expired "The lease was not renewed in time" {
        "No heartbeat of the holder was seen for as long as a lease lives, so the lease was taken away and the job queued again."
        next "Look at the machine of the runner: it was stopped, overloaded or cut off from the server."
    }
    lease_heartbeat_missed "A heartbeat was late" {
        "The holder of a lease did not renew it when it was due. The lease is still alive."
        next "Nothing yet; if it recurs, look at the load of the machine and at its way to the server."
    }
    lease_swept "A lease was looked at" {
        "The server looks at every lease in turn and ends those that were not renewed."
        next "Nothing: this is the regular sweep."
    }
    other_machine "The run waits for another machine" {
        "The job is parked on the machine that has its workspace, and the asking machine is not that one."
        next "Start the runner of that machine, or wait until the job may go on elsewhere."
    }
    project_not_linked "The machine has no checkout of the project" {
        "A job can only run where its repository is, and this machine has no checkout of it."
        next "Run dogwatch once in a checkout of the project on a machine whose runner is at work."
    }
    topic_not_served "The runner does not serve the topic" {
        "The job's topic leads to runners that serve it, and the asking one does not."
        next "Start a runner that serves the topic, or submit the job under another."
    }
    session_elsewhere "The session belongs to another machine" {
        "The job is bound to a session, and that lives on another machine."
        next "Start the runner of that machine, or submit the job without the session."
    }
    session_archived(409) "The session is archived" {
        "The job demands exactly this session, and it was archived or never existed."
        next "Choose another session, or submit the job without demanding one exactly."
    }
    agent_not_there "The machine does not have the agent" {
        "No configuration of the asking machine defines the agent that the job names."
        next "Define the agent on that machine as [agents.NAME], or start a runner that has it."
    }
    no_eligible_runner "No runner can take the job" {
        "The job waits: none of the known runners meets all of its demands. It is never dropped."
        next "`dogwatch why JOB` names what each runner lacks."
    }
    deadline_passed "The deadline has passed" {
        "The job was not finished when its deadline came, so it expired."
        next "Submit it again with a later deadline, or without one."
    }
    retry_limit(409) "The job was tried often enough" {
        "The job has had all the attempts that dogwatch makes without being asked by a person."
        next "Look at why it failed, then give it another attempt with `dogwatch jobs retry`."
    }
    runner_not_found(404) "There is no such runner" {
        "No machine with this id or name has ever reported to the server."
        next "Start the runner on that machine once; `dogwatch status` lists those that are known."
    }
    policy_denied "The policy forbids it" {
        "A rule of the policy does not allow this job, or the policy could not be evaluated, which counts as a denial."
        next "Read the reason; change the request or have the policy changed, then submit again."
    }
    too_long(400) "A text is too long" {
        "Something that is kept or shown to a person is longer than is allowed."
        next "Shorten what the message names."
    }
    runner_not_synced(409) "The runner has not said what it offers" {
        "A runner asked for work before it told the server its projects, topics and agents."
        next "Call sync first, then claim; a runner of this version does so by itself."
    }
}
