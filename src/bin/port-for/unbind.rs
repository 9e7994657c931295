//! Forgetting names.

use port_for::{Assignment, PortFor};

use crate::{Failure, note};

/// Forgets the ports of the names; `api*` stands for all that begin so. All are tried.
pub(crate) fn unbind(port_for: &PortFor, names: &[String]) -> Result<(), Failure> {
    let mut problems = Vec::new();
    for name in names {
        let assigned = port_for.assignments()?;
        let known: Vec<_> = assigned.iter().map(Assignment::id).collect();
        let meant: Vec<&str> = match name.strip_suffix('*') {
            // A name that ends so is meant itself.
            Some(prefix) if !known.contains(&&**name) => {
                let mut meant = known.clone();
                meant.retain(|id| id.starts_with(prefix));
                meant
            }
            _ => vec![name],
        };
        if meant.is_empty() {
            problems.push(format!("no name begins as `{name}` says"));
        }
        for id in meant {
            match port_for.release(id) {
                Ok(Some(port)) => note(&format!("`{id}` had port {port}, and is forgotten")),
                Ok(None) => problems.push(unknown(id, &known)),
                Err(error) if names.len() == 1 => return Err(error.into()),
                Err(error) => problems.push(error.to_string()),
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::Could(problems.join("\nport-for: ")))
}

/// With those that may have been meant.
fn unknown(id: &str, known: &[&str]) -> String {
    let like: Vec<_> = known
        .iter()
        .filter(|other| is_like(id, other))
        .take(5)
        .map(|other| format!("`{other}`"))
        .collect();
    let asked = if like.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", like.join(" or "))
    };
    format!("`{id}` has no port: nothing to forget{asked}")
}

/// Whether one ends as the other, as with a namespace, or they begin and end alike but for two letters.
fn is_like(id: &str, other: &str) -> bool {
    let ends_so = |long: &str, short: &str| {
        let before = long.strip_suffix(short).unwrap_or_default();
        before.ends_with(['#', '/', ':', '.'])
    };
    let [a, b]: [Vec<char>; 2] = [id, other].map(|name| name.chars().collect());
    let shortest = a.len().min(b.len());
    let head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let tail = (a.iter().rev().zip(b.iter().rev()))
        .take_while(|(a, b)| a == b)
        .count();
    let same = (head + tail).min(shortest);
    ends_so(other, id) || ends_so(id, other) || same > 1 && same + 2 >= a.len().max(b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_have_been_meant_are_those_that_are_almost_the_same() {
        for (id, other, expected) in [
            ("api", "apis", true),
            ("api", "/checkout#api", true),
            ("crate::tests::login", "login", true),
            ("shop/api", "shop/apj", true),
            ("api", "db", false),
            ("a", "b", false),
            ("redis", "postgres", false),
        ] {
            assert_eq!(is_like(id, other), expected, "{id} and {other}");
        }
    }
}
