//! What a job demands of the machine that takes it.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{MachineId, ProjectId, SessionId};
use crate::job::{Job, JobState};

/// A session as its machine reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferedSession {
    /// Its id.
    pub id: SessionId,
    /// Its project.
    pub project: ProjectId,
    /// Whether it is put away and takes no more work.
    pub archived: bool,
    /// Whether it is the one its project prefers.
    pub primary: bool,
}

/// What a machine has to offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The machine.
    pub machine: MachineId,
    /// The projects it has a checkout of; `null` means that it finds out by itself.
    pub projects: Option<BTreeSet<ProjectId>>,
    /// Its sessions.
    pub sessions: Vec<OfferedSession>,
    /// The topics it serves; empty means all.
    pub topics: BTreeSet<String>,
    /// The agents it can start by name; `null` means that it finds out by itself.
    pub agents: Option<BTreeSet<String>>,
}

impl Offer {
    /// A machine that takes everything and finds out by itself.
    pub fn anything(machine: MachineId) -> Self {
        Self {
            machine,
            projects: None,
            sessions: Vec::new(),
            topics: BTreeSet::new(),
            agents: None,
        }
    }
}

/// One demand of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "constraint", rename_all = "snake_case")]
pub enum Constraint {
    /// The one machine that has the parked run's workspace.
    Machine {
        /// The machine.
        machine: MachineId,
    },
    /// A checkout of the project.
    Project {
        /// The project.
        project: ProjectId,
    },
    /// A runner that serves the topic.
    Topic {
        /// The topic.
        topic: String,
    },
    /// The machine that owns the session.
    Session {
        /// The session.
        session: SessionId,
        /// Whether no other will do.
        exact: bool,
    },
    /// The agent.
    Agent {
        /// Its name.
        agent: String,
    },
}

/// A demand that a machine does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unmet {
    /// The machine.
    pub machine: MachineId,
    /// What it does not meet.
    pub constraint: Constraint,
}

impl Unmet {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self.constraint {
            Constraint::Machine { .. } => "other_machine",
            Constraint::Project { .. } => "project_not_linked",
            Constraint::Topic { .. } => "topic_not_served",
            Constraint::Session { .. } => "session_elsewhere",
            Constraint::Agent { .. } => "agent_not_there",
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.machine;
        match &self.constraint {
            Constraint::Machine { machine: wanted } => {
                write!(f, "the run is parked on {wanted}, not on {machine}")
            }
            Constraint::Project { project } => {
                write!(f, "{machine} has no checkout of {project}")
            }
            Constraint::Topic { topic } => write!(f, "{machine} does not serve `{topic}`"),
            Constraint::Session { session, .. } => {
                write!(f, "{session} does not belong to {machine}")
            }
            Constraint::Agent { agent } => write!(f, "{machine} has no agent `{agent}`"),
        }
    }
}

/// Everything a job demands, in the order it is asked.
pub fn constraints(job: &Job) -> Vec<Constraint> {
    let mut list = Vec::new();
    if let JobState::Parked { machine, .. } = &job.state {
        list.push(Constraint::Machine { machine: *machine });
    }
    list.push(Constraint::Project {
        project: job.project,
    });
    list.push(Constraint::Topic {
        topic: job.topic.clone(),
    });
    if let Some(session) = job.session {
        list.push(Constraint::Session {
            session,
            exact: job.exact,
        });
    }
    list.push(Constraint::Agent {
        agent: job.agent.clone(),
    });
    list
}

/// The first demand that a machine does not meet.
pub fn unmet(job: &Job, offer: &Offer) -> Option<Unmet> {
    constraints(job)
        .into_iter()
        .find(|constraint| !meets(job, offer, constraint))
        .map(|constraint| Unmet {
            machine: offer.machine,
            constraint,
        })
}

fn meets(job: &Job, offer: &Offer, constraint: &Constraint) -> bool {
    match constraint {
        Constraint::Machine { machine } => offer.machine == *machine,
        Constraint::Project { project } => offer
            .projects
            .as_ref()
            .is_none_or(|projects| projects.contains(project)),
        Constraint::Topic { topic } => offer.topics.is_empty() || offer.topics.contains(topic),
        // Where the session need not be exact, another one of the project takes its place.
        Constraint::Session { session, exact } => {
            let owned = offer
                .sessions
                .iter()
                .any(|own| own.id == *session && !own.archived);
            owned || (!exact && stands_in(job, offer))
        }
        Constraint::Agent { agent } => offer
            .agents
            .as_ref()
            .is_none_or(|agents| agents.contains(agent)),
    }
}

fn stands_in(job: &Job, offer: &Offer) -> bool {
    let mut own = offer
        .sessions
        .iter()
        .filter(|session| session.project == job.project && !session.archived)
        .peekable();
    own.peek().is_some() || offer.sessions.is_empty()
}
