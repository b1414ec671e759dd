//! Workspaces that are overlays.

use std::fs;
use std::path::Path;

use dogwatch_workspace::InitialContent;

use crate::mounted::{Mounted, owners};
use crate::support::{Scene, content_of, write};

fn fill(top: &Path) {
    write(top.join(".gitignore"), "*.o\n/out/\n");
    write(top.join("kept"), "kept");
    write(top.join("src/main.rs"), "fn main() {}\n");
    write(top.join("src/lib.rs"), "");
    write(top.join("src/deep/er/file"), "x");
    write(top.join("docs/a"), "a");
    write(top.join("docs/b"), "b");
    std::os::unix::fs::symlink("src/main.rs", top.join("link")).unwrap();
}

#[test]
fn an_agent_finds_a_clean_repository_on_its_branch() {
    for owner in owners() {
        let scene = Scene::new(fill);
        let mounted = Mounted::new(&scene, InitialContent::Base, owner);
        let said = mounted.script("git status --porcelain; git symbolic-ref HEAD; git rev-parse HEAD; git log --oneline | wc -l");
        assert_eq!(
            said,
            format!("refs/heads/dogwatch/abc123\n{}\n1\n", scene.base)
        );
        assert_eq!(
            content_of(&mounted.copy("copy")),
            content_of(scene.repository())
        );
        assert_eq!(mounted.agreed_snapshot("turn-001").tree, scene.base_tree());
        mounted.script("echo new > src/new; echo more >> kept; git add -A; git commit -qm agent; test -z \"$(git status --porcelain)\"");
        let tree = mounted.script("git rev-parse HEAD^{tree}");
        assert_eq!(
            mounted.agreed_snapshot("turn-002").tree.to_string(),
            tree.trim()
        );
        assert!(fs::read_dir(mounted.target()).unwrap().next().is_none());
    }
}

#[test]
fn t_is_what_the_mounted_workspace_shows() {
    for owner in owners() {
        let scene = Scene::new(fill);
        let mounted = Mounted::new(&scene, InitialContent::Base, owner);
        let steps = [
            "chmod 755 kept; rm docs/a; echo n > new; echo i > x.o; mkdir out; echo i > out/i",
            "chmod 644 kept; rm -r docs; mv src moved; mkdir -p empty/er",
            "mkdir docs; echo again > docs/c; rm link; mkdir link; echo x > link/x; mkfifo pipe",
            "rm -r docs; echo file > docs; rm -r link; ln -s moved link; mkdir -p sub/.git; echo c > sub/.git/config",
            "echo '!*.o' >> .gitignore; rm -rf out empty",
            "rm .gitignore; rm docs; mkdir src; echo b > src/main.rs",
        ];
        for (index, step) in steps.iter().enumerate() {
            mounted.script(step);
            mounted.agreed_snapshot(&format!("turn-{index:03}"));
        }
    }
}
